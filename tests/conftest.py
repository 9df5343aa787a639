"""Fixtures of all storeys. tests/isolation.py has made the environment neutral."""

from __future__ import annotations

import os

import django
import hypothesis
import pytest
from django.conf import settings
from django.utils import translation

from scheduler_app import masking
from tests import environment, servers

django.setup()
# the real one takes half a second for each user
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# else each new client looks through all static files at its first request
settings.WHITENOISE_AUTOREFRESH = True
hypothesis.settings.register_profile("vigil", deadline=None)
hypothesis.settings.load_profile("vigil")


def pytest_report_header():
    return f"database: {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}"


@pytest.fixture(autouse=True)
def in_english():
    """Each test begins in English: a page that another one read in Chinese leaves its language in the thread."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def no_secrets_of_others():
    """A secret that a test tells the mask ends with it: another test may have the word in an ordinary text."""
    before = masking._secrets
    yield
    masking._secrets = before


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings):
    """A test database of this run's own, so that two runs on one machine do not meet."""
    from django.db import connection

    name = f"test_vigil_{os.getpid()}"
    is_file = connection.vendor == "sqlite"
    connection.settings_dict["TEST"]["NAME"] = str(environment.FOLDER / name) if is_file else name


@pytest.fixture(scope="session")
def wait_until():
    """`wait_until(predicate, timeout_s=10)`: polls, returns the true answer."""
    return servers.wait_until


@pytest.fixture
def free_port():
    return servers.find_free_port()


@pytest.fixture(scope="session")
def redis_server_url():
    with servers.redis() as url:
        yield url


@pytest.fixture
def redis_url(redis_server_url):
    """An empty database on a real Redis."""
    import redis

    with redis.Redis.from_url(redis_server_url) as client:
        client.flushdb()
    return redis_server_url


@pytest.fixture
def own_redis():
    """A Redis of this test alone, that it may stop, start and empty."""
    with servers.RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_url():
    """A real RabbitMQ, shared with others: use queues of your own. Without one its tests are left out."""
    if url := servers.find_rabbitmq():
        return url
    return pytest.skip("there is no RabbitMQ: apt install rabbitmq-server, or set TEST_AMQP_URL")


@pytest.fixture(scope="session")
def postgres_server_url():
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server_url):
    """A database on a real PostgreSQL that was empty when the session began."""
    with servers.postgres_database(postgres_server_url) as url:
        yield url


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium; without one browser tests are left out, and fail where CI is set."""
    path = servers.find_chromium()
    if not path and os.environ.get("CI"):
        pytest.fail("CI is set and there is no Chromium: apt install chromium fonts-noto-cjk")
    if not path:
        pytest.skip("there is no Chromium: apt install chromium fonts-noto-cjk")
    return path


@pytest.fixture(scope="session")
def browser(chromium):
    # Playwright keeps an event loop in this thread, which Django takes for async code
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with servers.browser(chromium) as one:
        yield one


@pytest.fixture
def page(browser):
    """An empty tab of a fresh profile."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def run_manage(tmp_path):
    """`run_manage(*arguments, env={})` starts manage.py in a clean environment; all end with the test."""
    started: list[servers.Running] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> servers.Running:
        started.append(servers.start_manage(*arguments, folder=tmp_path, env=env))
        return started[-1]

    yield start
    servers.stop_all(started)


@pytest.fixture
def run_celery(tmp_path):
    """`run_celery(*arguments, env={})` starts the command celery as `run_manage` does manage.py."""
    started: list[servers.Running] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> servers.Running:
        started.append(servers.start_celery(*arguments, folder=tmp_path, env=env))
        return started[-1]

    yield start
    servers.stop_all(started)


@pytest.fixture
def site(transactional_db, run_manage, run_celery, tmp_path):
    """A site of real processes on this test's database (see tests/site.py)."""
    from tests.site import Site

    return Site(run_manage, run_celery, tmp_path)
