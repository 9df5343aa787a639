"""Vigil's delivery as it is installed: workers on a database of their own, gateways, and somebody who raises alerts."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks import processes, site
from benchmarks.ours.null_channel import NULL
from benchmarks.peers import celery
from benchmarks.site import Site
from benchmarks.stage import Stage
from tests.servers import Running, wait_until

START_TIMEOUT_S = 30.0
RAISE_TIMEOUT_S = 120.0


class Office:
    """What `opened` yields; its processes end with it."""

    def __init__(self, own: Site) -> None:
        self.site = own
        self._accepted = own.folder / "accepted"
        own.env |= {
            "DJANGO_SETTINGS_MODULE": "benchmarks.ours.settings",
            "BENCHMARK_ACCEPTED": str(self._accepted),
        }

    def configure(self, **settings: Any) -> None:
        """Change VIGIL_NOTIFICATIONS for the processes that start from now on."""
        self.site.env["BENCHMARK_NOTIFICATIONS"] = json.dumps(settings)

    def use_mail(self, port: int, connections: int = 4) -> None:
        self.site.env |= {
            "EMAIL_CONNECTIONS": str(connections),
            "EMAIL_ENABLED": "true",
            "EMAIL_SMTP_SERVER": "127.0.0.1",
            "EMAIL_SMTP_PORT": str(port),
            "EMAIL_USE_TLS": "false",
            "EMAIL_FROM": "Vigil <vigil@example.com>",
        }

    def worker(self, concurrency: int) -> Running:
        """One that waits for work."""
        return self.site.ready("notification_worker", "--concurrency", str(concurrency))

    def end(self, process: Running) -> None:
        processes.end(process)

    def mail_server(self, *options: str) -> MailServer:
        return MailServer(self.site.start(_module("mail_server", *options)))

    def raiser(self, **plan: Any) -> Raiser:
        return Raiser(self.site.start(_module("raiser", json.dumps(plan))))

    def start(self, module: str, *arguments: str) -> Running:
        """A process of `benchmarks.ours` with the site's environment."""
        return self.site.start(_module(module, *arguments))

    def accepted(self) -> list[tuple[float, str]]:
        """Unix time and id of each message that the null gateway got, in its order."""
        if not self._accepted.exists():
            return []
        whole, _, _unfinished = self._accepted.read_text().rpartition("\n")
        calls = [line.split() for line in whole.splitlines()]
        return [(float(moment), message) for moment, *ids in calls for message in ids]


class MailServer:
    """A mail server in a process of its own. With `--mute` it accepts connections and never answers."""

    def __init__(self, process: Running) -> None:
        self._process = process
        self.port = int(wait_until(lambda: _lines(process), START_TIMEOUT_S)[0])

    def accepted(self) -> list[str]:
        """The Message-ID of each mail; ends the server."""
        self._process.stop()
        return _lines(self._process)[1:]


class Raiser:
    """Raises alerts in a process of its own, see `ours/raiser.py`."""

    def __init__(self, process: Running) -> None:
        self._process = process
        wait_until(lambda: _lines(process) or process.process.poll() is not None, START_TIMEOUT_S)
        assert process.process.poll() is None or not process.process.poll(), process.err

    def raised(self) -> dict[str, tuple[float, float]]:
        """By fingerprint the Unix times at which each began to be raised, and was committed with its notifications."""
        assert self._process.wait(RAISE_TIMEOUT_S) == 0, self._process.err
        found = (line.split() for line in _lines(self._process)[1:])
        return {name: (float(begin), float(end)) for name, begin, end in found}


def _lines(process: Running) -> list[str]:
    """Whole lines that the process has said."""
    assert not process.process.poll(), process.err
    return process.out.rpartition("\n")[0].splitlines()


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.ours.{name}", *arguments]


@contextlib.contextmanager
def opened(stage: Stage, *, redis: bool = False) -> Iterator[Office]:
    """Without people but the owner, and without processes; models speak to its database."""
    with celery.clean_redis(stage.redis_url), site.opened(stage) as own:
        if redis:
            own.env["REDIS_URL"] = stage.redis_url
        yield Office(own)


__all__ = ["NULL", "MailServer", "Office", "Raiser", "opened"]
