#!/usr/bin/env python3
"""Writes docs/reference/configuration.md from the table of variables.

For maintainers, after a line of project/configuration/variables.py was changed: `.venv/bin/python
scripts/make_configuration_page.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from project.configuration.variables import PAGE, SECTIONS, Variable, Wrong  # noqa: E402

HEAD = """# Configuration

<!-- Written by scripts/make_configuration_page.py from project/configuration/variables.py. -->

Every variable is read from the environment of the process, else from `.env` beside `manage.py`, where each line is
`NAME=value`. Everything has a default that works.

- Quotes around a value are not part of it, and neither is a comment behind it (`587  # submission`). A password or
  another free text that holds a blank and `#` stands in quotes.
- An empty value means the default, but for those marked "may be empty".
- In a URL the user and the password are percent-encoded: `#` is `%23`, `/` is `%2F`, `?` is `%3F`, `@` is `%40`.
- `manage.py check` and `manage.py verify_jobs` list every value that is not allowed, and every name in `.env` that
  looks like one of these and is none. What such a value does is in the last column:
"""
EFFECTS = {
    Wrong.DEFAULT: "default",
    Wrong.PASSED_ON: "fails where used",
    Wrong.REFUSED: "refused",
    Wrong.REFUSED_UNLESS_DEBUG: "refused",
}
EXPLAINED = """
  - **default**: the default is used, everything runs;
  - **channel off**: the channel sends nothing and says why, everything else runs; requeue its messages afterwards;
  - **fails where used**: what uses it fails and says why, everything else runs;
  - **refused**: nothing starts (exit code 2), as jobs would run at wrong times or on another database. `SECRET_KEY`
    may be weak while `DEBUG` is on.
"""
TITLES = {
    "EMAIL": "E-mail",
    "WECHAT": "WeChat Work: group robot",
    "WECHAT_APP": "WeChat Work: application",
    "SMS": "SMS",
    "WEBHOOK": "Webhooks",
    "APPRISE": "Apprise",
}
COLUMNS = ("Variable", "Allowed", "Default", "Meaning", "A wrong value")
PROXIES = """
## Proxies

`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (also in lower case) hold for the channels, for `HEARTBEAT_URL`
and for `METRICS_PUSH_URL`. They are read from the environment of the process only. `NO_PROXY` lists hosts, domains,
addresses and networks with commas (`localhost,.example.com,10.0.0.0/8,[::1]`). A proxy that cannot be used is left out,
and `manage.py check` and `verify_jobs` name its variable.
"""


def page() -> str:
    parts = [HEAD.rstrip("\n"), EXPLAINED.rstrip("\n")]
    for title, section in SECTIONS.items():
        parts += [f"\n## {TITLES.get(title, title)}\n", _row(COLUMNS), _row(["---"] * len(COLUMNS))]
        parts += [_row(_cells(one)) for one in section]
    return "\n".join(parts) + "\n" + PROXIES


def _cells(one: Variable) -> tuple[str, ...]:
    meaning = one.meaning
    if one.is_secret:
        meaning += " Secret."
    if one.may_be_empty:
        meaning += " May be empty."
    if one.only_process:
        meaning += " Not read from `.env`."
    if one.shown_example and one.shown_example != one.default and not one.is_secret:
        meaning += f" Example: `{one.shown_example}`."
    default = one.usual or (f"`{one.default}`" if one.default else "none")
    effect = "channel off" if one.channel else EFFECTS[one.wrong]
    return f"`{one.name}`", str(one.kind.allowed), default, meaning, effect


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    target = HOME / PAGE
    target.parent.mkdir(exist_ok=True)
    target.write_text(page(), encoding="utf-8")
