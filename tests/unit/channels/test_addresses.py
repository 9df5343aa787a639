from __future__ import annotations

from ipaddress import ip_address

import pytest

from notifications_app.channels.addresses import is_public, may_reach, networks, parse

PRIVATE = (
    *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.8"),
    *("198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "203.0.113.7"),
    *("::", "::1", "fe80::1", "fc00::1", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1"),
    # the same ones, carried
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:100.100.100.200", "::127.0.0.1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a00:1::1"),
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
)
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "101.89.15.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)


@pytest.mark.parametrize("text", PRIVATE)
def test_address_that_is_not_of_the_whole_net_is_refused(text):
    assert not may_reach(ip_address(text), ())
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_address_may_be_reached(text):
    assert may_reach(ip_address(text), ())


@pytest.mark.parametrize("text", ["10.2.3.4", "::ffff:10.2.3.4", "64:ff9b::a02:304", "fd00::7"])
def test_network_that_is_allowed_may_be_reached_in_every_spelling(text):
    allowed = networks(["10.2.0.0/16", " fd00::/8 "])
    assert may_reach(ip_address(text), allowed)


def test_other_networks_stay_closed():
    allowed = networks(["10.2.0.0/16"])
    assert not may_reach(ip_address("10.3.0.1"), allowed)
    assert not may_reach(ip_address("::1"), allowed)


@pytest.mark.parametrize("text", ["localhost", "", "10.0.0", "0x7f000001", "2130706433", "[::1]"])
def test_what_is_no_address_is_none(text):
    assert parse(text) is None


def test_scope_of_an_address_does_not_hide_it():
    address = parse("fe80::1%eth0")
    assert address is not None
    assert not may_reach(address, ())
