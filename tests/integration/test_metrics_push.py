from __future__ import annotations

import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.management import CommandError, call_command

from scheduler_app import exposition, metrics_push
from scheduler_app.errors import SkipRun
from tests.factories import make_job

pytestmark = pytest.mark.django_db


class Gateway(BaseHTTPRequestHandler):
    status = 200

    def do_PUT(self):
        length = int(self.headers["Content-Length"])
        self.server.heard.append((self.path, dict(self.headers), self.rfile.read(length).decode()))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"pushed metrics are invalid" if self.server.status >= 400 else b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def gateway():
    """A server that plays the Pushgateway: `heard` has what was PUT, `status` is what it answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.heard, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def push_to(settings):
    def use(url: str) -> None:
        settings.VIGIL_SCHEDULER = {**settings.VIGIL_SCHEDULER, "PUSH_URL": url}

    return use


def test_push_hands_all_figures_to_the_gateway(gateway, push_to):
    make_job("a")
    push_to(f"http://127.0.0.1:{gateway.server_port}")
    metrics_push.push()
    ((path, headers, body),) = gateway.heard
    assert (path, headers["Content-Type"]) == ("/metrics/job/vigil", exposition.CONTENT_TYPE)
    assert 'scheduler_job_success_total{job_id="a"} 0' in body


def test_push_keeps_the_path_and_sends_the_password_as_a_header(gateway, push_to, capsys):
    push_to(f"http://prom:p%40ss@127.0.0.1:{gateway.server_port}/metrics/job/site")
    call_command("push_metrics")
    ((path, headers, _),) = gateway.heard
    assert (path, headers["Authorization"]) == ("/metrics/job/site", "Basic cHJvbTpwQHNz")
    assert "p%40ss" not in capsys.readouterr().err


def test_push_is_skipped_without_an_address(push_to):
    push_to("")
    with pytest.raises(SkipRun, match="METRICS_PUSH_URL is not set"):
        metrics_push.push()


def test_push_fails_with_the_gateways_words(gateway, push_to):
    gateway.status = 400
    push_to(f"http://127.0.0.1:{gateway.server_port}")
    with pytest.raises(metrics_push.PushError, match="answered 400: pushed metrics are invalid"):
        metrics_push.push()


def test_push_fails_when_nobody_listens(push_to, free_port):
    push_to(f"http://127.0.0.1:{free_port}")
    with pytest.raises(CommandError, match="cannot be reached"):
        call_command("push_metrics")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gateway:9091", "http://", "http://h:port"])
def test_push_goes_to_web_addresses_only(push_to, url):
    push_to(url)
    with pytest.raises(metrics_push.PushError, match="is no address"):
        metrics_push.push()


def test_push_fails_when_the_answer_is_not_http(push_to, nonsense_port):
    push_to(f"http://127.0.0.1:{nonsense_port}")
    with pytest.raises(metrics_push.PushError, match="cannot be reached"):
        metrics_push.push()


@pytest.fixture
def nonsense_port():
    """Somebody listens who does not speak HTTP."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Nonsense)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


class Nonsense(socketserver.StreamRequestHandler):
    def handle(self):
        self.connection.recv(65536)
        self.wfile.write(b"220 mail.example.com ESMTP\r\n")
