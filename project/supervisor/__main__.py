"""`python -m project.supervisor [--port N] [--host A]`: Vigil on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from project.configuration.reading import environment
from project.supervisor import address
from project.supervisor.errors import StartError
from project.supervisor.preparation import prepare
from project.supervisor.service import Service
from project.supervisor.watch import Watch

HOME = Path(__file__).resolve().parents[2]
WEB_THREADS = 8


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        listener = address.listen(options.host, options.port)
        user = prepare(HOME, options.port, say)
    except StartError as error:
        for line in str(error).splitlines():
            say(line)
        return error.exit_code
    os.environ["VIGIL_LOG_STDOUT"] = "1"
    os.environ["SITE_URL"] = address.of_this_start(
        environment()["SITE_URL"], options.host, options.port
    )

    def welcome() -> None:
        path = urlsplit(os.environ["SITE_URL"]).path.lstrip("/")
        say(f"Vigil is ready: {address.site_url(options.host, options.port)}{path}")
        say(f"Sign in: {user}. Ctrl-C ends it.")

    watch = Watch(
        services(listener),
        say=say,
        is_ready=lambda: address.answers(options.host, options.port),
        welcome=welcome,
    )
    return watch.run()


def services(listener: socket.socket) -> list[Service]:
    """The web process (which takes WEB_CONCURRENCY for more workers), the scheduler and the notification worker."""
    web = [
        *("-m", "gunicorn", "project.wsgi", "--chdir", str(HOME)),
        *("-c", "python:project.gunicorn_config"),
        *("--bind", f"fd://{listener.fileno()}", "--threads", str(WEB_THREADS)),
        *("--graceful-timeout", "5", "--log-level", "warning", "--no-control-socket"),
    ]
    manage = str(HOME / "manage.py")
    return [
        Service("web", [sys.executable, *web], say=say, inherit=[listener.fileno()]),
        Service("scheduler", [sys.executable, manage, "runscheduler"], say=say),
        Service("worker", [sys.executable, manage, "notification_worker"], say=say),
    ]


def say(text: str) -> None:
    """One line to the person; stdout may be gone, which is no reason to stop."""
    try:
        sys.stdout.write(f"vigil: {text}\n")
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for the rest of the process


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/run", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="where the pages are (default 8000)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="listen on this address (default 127.0.0.1)"
    )
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
