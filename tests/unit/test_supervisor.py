from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from project.supervisor import address
from project.supervisor.errors import StartError
from project.supervisor.service import Service
from project.supervisor.watch import Watch

ROOT = Path(__file__).resolve().parents[2]
SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('deaf', flush=True); time.sleep(60)"
)
WITH_CHILD = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print(child.pid, flush=True); time.sleep(60)"
)
PARENT = (
    "import sys, time; from project.supervisor.service import Service; "
    f"service = Service('x', [sys.executable, '-c', {SLEEP!r}], say=print); "
    "service.start(); print(service.pid, flush=True); time.sleep(60)"
)
ASK = (
    "from project.supervisor import preparation; answer = preparation._ask_for_address(); "
    "print(f'[{answer}]')"
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def make(said, clock):
    """Make services that run Python code; what is left of them ends with the test."""
    made: list[Service] = []

    def make(code: str, name: str = "worker") -> Service:
        made.append(Service(name, [sys.executable, "-c", code], say=said.append, clock=clock))
        return made[-1]

    yield make
    for service in made:
        service.kill_group()


def _end_by_itself(service: Service, wait_until) -> None:
    wait_until(service.has_ended)
    service.look()


def test_service_that_dies_is_started_again_after_a_second(make, said, clock, wait_until):
    service = make(SLEEP)
    service.start()
    first = service.pid
    os.kill(first, signal.SIGKILL)
    _end_by_itself(service, wait_until)
    service.look()
    assert service.pid is None
    clock.now += 1.0
    service.look()
    assert service.pid not in (None, first)
    assert said == ["worker was ended by SIGKILL; it is started again in 1 s."]


def test_pause_doubles_up_to_half_a_minute(make, said, clock, wait_until):
    service = make("raise SystemExit(7)")
    service.start()
    for _ in range(7):
        _end_by_itself(service, wait_until)
        clock.now += 30
        service.look()
    pauses = [int(text.split()[-2]) for text in said]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert "worker ended with code 7" in said[0]


def test_pause_is_short_again_after_a_minute_well(make, said, clock, wait_until):
    service = make("pass")
    service.start()
    for lived_s in (0, 0, 60):
        clock.now += lived_s
        _end_by_itself(service, wait_until)
        clock.now += 30
        service.look()
    assert [text.split()[-2] for text in said] == ["1", "2", "1"]


def test_third_refusal_in_a_row_says_what_to_do_once(make, said, clock, wait_until):
    service = make("raise SystemExit(2)")
    service.start()
    for _ in range(4):
        _end_by_itself(service, wait_until)
        clock.now += 30
        service.look()
    assert [".env" in text for text in said] == [False, False, False, True, False]
    assert service.pid is not None


def test_command_that_does_not_exist_is_tried_again(said, clock, wait_until):
    service = Service("worker", ["/nowhere/python"], say=said.append, clock=clock)
    service.start()
    _end_by_itself(service, wait_until)
    assert "started again in 1 s" in said[0]


def test_machine_that_starts_no_process_is_asked_again(make, said, clock, monkeypatch):
    service = make(SLEEP)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        service.start()
    clock.now += 1.0
    service.look()
    assert "cannot be started" in said[0]
    assert service.pid is not None


def test_children_of_a_service_that_dies_are_ended(make, capfd, wait_until):
    service = make(WITH_CHILD)
    service.start()
    child = int(_first_line(capfd, wait_until))
    os.kill(service.pid, signal.SIGKILL)
    _end_by_itself(service, wait_until)
    wait_until(lambda: not _runs(child))


def test_service_ends_when_its_supervisor_is_killed(wait_until):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    wait_until(lambda: "-I" not in psutil.Process(child).cmdline())  # the command has begun
    parent.kill()
    parent.communicate()
    wait_until(lambda: not _runs(child))


def test_service_whose_supervisor_died_before_it_began_does_not_begin():
    tether = ROOT / "project/supervisor/tether.py"
    command = [sys.executable, tether, "1", sys.executable, "-c", "print('began')"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b""


def test_services_have_process_groups_of_their_own(make):
    service = make(SLEEP)
    service.start()
    assert os.getpgid(service.pid) == service.pid


@pytest.fixture
def hangup_of_a_terminal():
    """SIGHUP as a terminal has it, though the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup_of_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_watch_ends_all_on_a_signal(make, said, wait_until, number):
    services = [make(SLEEP, "web"), make(SLEEP, "worker")]
    watch = _watch(services, said)
    with _signal_when(lambda: all(one.pid for one in services), number, wait_until):
        assert watch.run() == 0
    assert [one.pid for one in services] == [None, None]
    assert said[-1] == "Stopped."


def test_watch_kills_what_does_not_end(make, said, wait_until, monkeypatch, capfd):
    monkeypatch.setattr("project.supervisor.watch.GRACE_S", 0.3)
    service = make(STUBBORN)
    watch = _watch([service], said)
    with _signal_when(lambda: "deaf" in capfd.readouterr().out, signal.SIGTERM, wait_until):
        assert watch.run() == 1
    assert said[-1] == "Stopped; had to kill worker."


def test_watch_starts_again_what_dies_and_welcomes_once(make, said, wait_until):
    service = make("raise SystemExit(1)")
    welcomed = []
    watch = _watch([service], said, is_ready=lambda: True, welcome=lambda: welcomed.append(1))
    with _signal_when(lambda: any("again" in text for text in said), signal.SIGTERM, wait_until):
        watch.run()
    assert welcomed == [1]


def test_signal_handlers_are_put_back(make, said, wait_until):
    before = signal.getsignal(signal.SIGTERM)
    service = make(SLEEP)
    with _signal_when(lambda: service.pid, signal.SIGTERM, wait_until):
        _watch([service], said).run()
    assert signal.getsignal(signal.SIGTERM) == before


def test_taken_port_is_told_with_a_way_out(free_port):
    words = f"Port {free_port} is taken.* --port {free_port + 1}"
    with (
        address.listen("127.0.0.1", free_port),
        pytest.raises(StartError, match=words),
    ):
        address.listen("127.0.0.1", free_port)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 0, "use 1 to 65535"),
        ("127.0.0.1", 65536, "use 1 to 65535"),
        ("no.such.host.invalid", 8000, "is no address"),
        ("192.0.2.1", 8000, "Cannot listen on 192.0.2.1"),
    ],
)
def test_impossible_address_is_told_in_one_line(host, port, words):
    with pytest.raises(StartError, match=words) as caught:
        address.listen(host, port)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://localhost:8000/"),
        ("0.0.0.0", "http://localhost:8000/"),
        ("10.0.0.5", "http://10.0.0.5:8000/"),
        ("fe80::1", "http://[fe80::1]:8000/"),
    ],
)
def test_url_is_one_that_a_browser_here_can_open(host, url):
    assert address.site_url(host, 8000) == url


@pytest.mark.parametrize(
    ("kept", "used"),
    [
        ("http://localhost:8000", "http://localhost:8123"),
        ("http://localhost:8123", "http://localhost:8123"),
        ("https://vigil.example.com", "https://vigil.example.com"),
        ("http://localhost", "http://localhost"),
        ("", ""),
    ],
)
def test_links_lead_to_the_port_of_this_start(kept, used):
    assert address.of_this_start(kept, "127.0.0.1", 8123) == used


def test_port_that_only_listens_does_not_count_as_an_answer(free_port):
    with address.listen("127.0.0.1", free_port):
        assert not address.answers("127.0.0.1", free_port, timeout_s=0.1)
    assert not address.answers("127.0.0.1", free_port, timeout_s=0.1)


def test_any_answer_counts_even_a_refusal(free_port):
    with address.listen("127.0.0.1", free_port) as listener:
        thread = threading.Thread(target=_refuse_once, args=(listener,))
        thread.start()
        assert address.answers("127.0.0.1", free_port)
        thread.join()


def _watch(services, said, is_ready=lambda: False, welcome=lambda: None):
    return Watch(services, say=said.append, is_ready=is_ready, welcome=welcome)


class _signal_when:  # noqa: N801 - reads as a verb
    """Sends this process a signal from a thread as soon as `condition` holds."""

    def __init__(self, condition, number, wait_until):
        self._thread = threading.Thread(target=self._send, args=(condition, number, wait_until))

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._thread.join()

    @staticmethod
    def _send(condition, number, wait_until):
        try:
            wait_until(condition)
        finally:  # or the test would wait for ever
            os.kill(os.getpid(), number)


def _first_line(capfd, wait_until):
    text = []

    def has_line():
        text.append(capfd.readouterr().out)
        return "\n" in "".join(text)

    wait_until(has_line)
    return "".join(text).splitlines()[0]


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _refuse_once(listener: socket.socket) -> None:
    client, _ = listener.accept()
    with client:
        client.recv(4096)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("olga@example.com\n", "olga@example.com"),
        ("olga\nolga@example.com\n", "olga@example.com"),
        ("\n", ""),
        ("\x04", ""),
    ],
)
def test_address_is_asked_for_at_a_terminal(typed, address):
    ours, theirs = os.openpty()
    os.write(ours, typed.encode())
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(
        command, cwd=ROOT, stdin=theirs, capture_output=True, text=True, timeout=30
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"[{address}]\n")


def test_address_is_not_asked_for_without_a_terminal():
    command = [sys.executable, "-c", ASK]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.read() == b"[]\n"
