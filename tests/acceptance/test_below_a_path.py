"""Vigil below a path of its host: the apps by `include`, or the whole site behind a proxy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests import servers
from tests.crawler import crawl, leads_nowhere
from tests.environment import ROOT, clean
from tests.factories import make_user
from tests.plain import Plain

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port};
        location /vigil/ {{
            proxy_pass http://127.0.0.1:{web}{path};
            proxy_set_header Host $http_host;
            {header}
        }}
        location / {{ return 410; }}
    }}
}}
"""
PROXIES = {
    "nginx takes the path off": ("/", ""),
    "nginx leaves the path": ("", ""),
    "nginx names the path": ("", "proxy_set_header SCRIPT_NAME /vigil;"),
}


@pytest.mark.parametrize(
    ("env", "begin"),
    [
        ({"VIGIL_TEST_PREFIX": "ops/"}, "http://localhost:8000/ops/runs/"),
        (
            {"VIGIL_TEST_PREFIX": "ops/", "VIGIL_TEST_SCRIPT_NAME": "/team"},
            "http://localhost:8000/team/ops/runs/",
        ),
    ],
)
def test_links_of_pages_and_messages_follow_the_include(tmp_path, env, begin):
    told = Plain(tmp_path, **env).story()
    assert leads_nowhere(told["pages"]) == {}
    assert len(told["pages"]) > 40
    assert all(link.startswith(begin) for link in told["links"])


@pytest.fixture
def site_below(transactional_db, site, tmp_path, free_port):
    """`site_below(proxy)`: the URL of the site behind that proxy; empty: gunicorn alone."""
    started: list[servers.Running] = []

    def start(proxy: str) -> str:
        port = servers.find_free_port() if proxy else free_port
        url = f"http://localhost:{port}/vigil"
        site.env |= {"SITE_URL": url}
        web = (
            "-m",
            "gunicorn",
            "project.wsgi",
            "--bind",
            f"127.0.0.1:{free_port}",
            "--threads",
            "4",
        )
        env = clean(**site.env)
        started.append(servers.Running([sys.executable, *web], env=env, folder=tmp_path))
        if proxy:
            started.append(nginx(tmp_path, port, free_port, *PROXIES[proxy]))
        servers.wait_until(lambda: is_up(f"{url}/healthz"), 20)
        return url

    yield start
    servers.stop_all(started)


def nginx(folder: Path, port: int, web: int, path: str, header: str) -> servers.Running:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        pytest.skip("there is no nginx: apt install nginx-light")
    text = NGINX.format(folder=folder, port=port, web=web, path=path, header=header)
    (folder / "nginx.conf").write_text(text)
    command = [program, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    return servers.Running(command, env=clean(), folder=folder)


def is_up(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("proxy", ["", *PROXIES])
def test_no_link_of_the_site_leads_out_of_its_path(site_below, proxy):
    admin = make_user("admin", is_staff=True, is_superuser=True)
    admin.password = PBKDF2PasswordHasher().encode("secret-pass", "salt", 10)  # the site's hasher
    admin.save()
    url = site_below(proxy)
    host = url.removesuffix("/vigil")
    with httpx.Client(follow_redirects=True) as client:

        def get(address: str) -> tuple[int, str]:
            answer = client.get(address)
            assert str(answer.url).startswith(f"{url}/"), f"{address} leads to {answer.url}"
            return answer.status_code, answer.text

        landed = sign_in(client, f"{url}/runs/?state=FAILED")
        assert landed == f"{url}/runs/?state=FAILED"
        assert {cookie.path for cookie in client.cookies.jar} == {"/vigil/"}
        statuses = crawl(get, [f"{url}/", f"{url}/api/docs", f"{url}/admin/"], host)
        assert leads_nowhere(statuses) == {}
        assert len(statuses) > 60
        assert any("/static/" in address for address in statuses)
        shape = client.get(f"{url}/api/schema?format=json").json()
        assert all(path.startswith("/vigil/api/v1/") for path in shape["paths"])
        token = client.cookies["csrftoken"]
        data = {"theme": "dark", "next": "/vigil/jobs/", "csrfmiddlewaretoken": token}
        assert client.post(f"{url}/theme/", data=data).url.path == "/vigil/jobs/"
        data = {"language": "zh-hans", "next": "/vigil/jobs/", "csrfmiddlewaretoken": token}
        assert "任务" in client.post(f"{url}/language/", data=data).text
        live = client.get(f"{url}/jobs/", headers={"HX-Request": "true"})
        assert live.status_code == 200


def sign_in(client: httpx.Client, wanted: str) -> str:
    """Where signing in leads that was asked for by a page."""
    form = client.get(wanted)
    assert urlsplit(str(form.url)).path == "/vigil/login/"
    data = {"username": "admin", "password": "secret-pass", "next": form.url.params["next"]}
    data["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
    return str(client.post(form.url, data=data).url)


@pytest.mark.parametrize(
    ("url", "origins", "prefix", "cookies"),
    [
        (
            "https://a.example:8443/ops/vigil/",
            ["https://a.example:8443"],
            "/ops/vigil",
            "/ops/vigil/",
        ),
        ("https://a.example", ["https://a.example"], None, "/"),
        ("http://localhost:8000", [], None, "/"),
    ],
)
def test_settings_come_from_the_address_of_the_site(url, origins, prefix, cookies):
    names = ("CSRF_TRUSTED_ORIGINS", "FORCE_SCRIPT_NAME", "SESSION_COOKIE_PATH")
    code = f"import json; from project import settings as s; print(json.dumps([getattr(s, n) for n in {names}]))"
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean(SITE_URL=url),
        check=True,
        capture_output=True,
    )
    assert json.loads(said.stdout) == [origins, prefix, cookies]
