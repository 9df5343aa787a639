"""The set-ups of the docs, in an environment with requirements.txt and nothing of the developers' tools."""

from __future__ import annotations

import contextlib
import urllib.request
from pathlib import Path

import pytest

from scheduler_app.models import JobRun
from tests import packages, servers
from tests.environment import ROOT, clean
from tests.factories import declaration
from tests.site import Site, states

NEVER = "0 0 1 1 *"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Of an environment with what scripts/run installs."""
    folder = tmp_path_factory.mktemp("requirements") / "venv"
    files = ("-r", str(ROOT / "requirements.txt"), "-c", str(ROOT / "constraints.txt"))
    return packages.make_venv(folder, *files)


@pytest.fixture
def lean_site(transactional_db, tmp_path, python):
    """As the fixture `site`, with this environment's Python."""
    started: list[servers.Running] = []

    def start(*command: str, env: dict[str, str]) -> servers.Running:
        env = clean(**env)
        started.append(servers.Running([str(python), *command], env=env, folder=tmp_path))
        return started[-1]

    def manage(*arguments: str, env: dict[str, str]) -> servers.Running:
        return start("manage.py", *arguments, env=env)

    def celery(*arguments: str, env: dict[str, str]) -> servers.Running:
        return start("-m", "celery", "--quiet", *arguments, env=env)

    # the settings of the site: tests.quick_settings needs what tests need
    yield Site(manage, celery, tmp_path, DJANGO_SETTINGS_MODULE="project.settings")
    servers.stop_all(started)


@pytest.mark.parametrize("broker", ["own_redis", "rabbitmq_url"])
def test_celery_workers_run_jobs_and_a_queue_without_one_is_told(
    lean_site, broker, request, wait_until
):
    found = request.getfixturevalue(broker)
    url = found if isinstance(found, str) else found.url
    queues = [f"q{lean_site.folder.name[-6:]}_{name}" for name in ("served", "unserved")]
    queues = [name.lower().replace("-", "_") for name in queues]
    lean_site.env |= {"SCHEDULER_EXECUTOR": "celery", "CELERY_BROKER_URL": url}
    lean_site.declare(
        *(declaration(name, callable="succeed", queue=name, cron=NEVER) for name in queues)
    )
    assert lean_site.manage("check").wait() == 0
    lean_site.scheduler()
    lean_site.celery_worker(pool="prefork", concurrency=1, queues=queues[0])
    said = lean_site.manage("run_job", queues[0], "--wait")
    assert said.wait(60) == 0, said.out + said.err
    lean_site.manage("run_job", queues[1]).wait()
    (told,) = wait_until(lambda: list(lean_site.logged("queue_not_served")), 40)
    assert told["queue"] == queues[1]
    assert states(queues[1]) == ["QUEUED"]
    verified = lean_site.manage("verify_jobs")
    assert verified.wait() == 1
    assert f"-A project worker -Q {queues[1]}" in " ".join(verified.out.split())


def test_worker_delivers_by_redis(lean_site, own_redis, wait_until):
    from alerts_app.models import AlertRecord
    from notifications_app.models import AlertNotification
    from tests.factories import make_user

    make_user("olga")
    lean_site.env |= {"REDIS_URL": own_redis.url, "NOTIFICATION_QUEUE": "redis"}
    lean_site.declare(declaration("bad", callable="fail", cron=NEVER))
    lean_site.together(lean_site.scheduler, lean_site.worker)
    assert lean_site.manage("run_job", "bad", "--wait").wait() == 1
    wait_until(lambda: AlertNotification.objects.filter(state="SENT").exists(), 20)
    assert AlertRecord.objects.count() == JobRun.objects.count() == 1


def test_gunicorn_of_the_unit_answers(lean_site, python, free_port, wait_until, tmp_path):
    unit = (ROOT / "deploy/systemd/vigil-web.service").read_text()
    (line,) = [one for one in unit.splitlines() if one.startswith("ExecStart=")]
    command = line.removeprefix("ExecStart=").replace("127.0.0.1:8000", f"127.0.0.1:{free_port}")
    words = [str(Path(python).parent / "gunicorn"), *command.split()[1:]]
    web = servers.Running(words, env=clean(**lean_site.env), folder=tmp_path)
    try:
        wait_until(lambda: is_ready(free_port), 20)
    finally:
        servers.stop_all([web])


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
        return True
    return False
