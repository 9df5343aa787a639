from __future__ import annotations

import pytest

from notifications_app.channels.email.addresses import ascii_host, for_smtp, is_address


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("olga@example.com", "olga@example.com"),
        (" olga@example.com ", "olga@example.com"),
        ("o'neil+x@localhost", "o'neil+x@localhost"),
        ("user@münchen.de", "user@xn--mnchen-3ya.de"),
        ("user@MÜNCHEN.de", "user@xn--mnchen-3ya.de"),
        ("user@straße.de", "user@xn--strae-oqa.de"),
        ("user@例子。中国", "user@xn--fsqu00a.xn--fiqs8s"),
        ("user@☃.net", "user@xn--n3h.net"),
        ("用户@例子.中国", "用户@xn--fsqu00a.xn--fiqs8s"),
        ("", ""),
        ("olga", ""),
        ("@example.com", ""),
        ("olga@", ""),
        ("olga@-a.de", ""),
        ("olga@a..b", ""),
        ("olga@example.com.", ""),
        ("a b@example.com", ""),
        ("a..b@example.com", ""),
        ("ol\u200bga@example.com", ""),
        ("olga@exa mple.com", ""),
        ("x" * 250 + "@a.de", ""),
        ("olga@" + "x" * 64 + ".de", ""),
        ("olga@" + "ü" * 64 + ".de", ""),
    ],
)
def test_address_as_it_is_sent(written, sent):
    assert for_smtp(written) == sent
    assert is_address(written) == (bool(sent) and sent.isascii())


@pytest.mark.parametrize(
    ("name", "host"), [("vm7.example.com", "vm7.example.com"), ("my vm", ""), ("", ""), ("a.", "")]
)
def test_name_of_a_host(name, host):
    assert ascii_host(name) == host
