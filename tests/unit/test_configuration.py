"""The environment variables: what is read, and what is said of a value that is not right."""

from __future__ import annotations

import os

import decouple
import pytest
from celery import Celery
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from project.configuration import env_file, kinds, reading
from project.configuration.kinds import NotAllowedError
from project.configuration.urls import hidden
from project.configuration.variables import VARIABLES, Wrong
from scheduler_app.errors import BrokerError
from scheduler_app.executors.doorbell import Line
from tests.environment import NEUTRAL

KEY = NEUTRAL["SECRET_KEY"]


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read a `.env` with these lines, and nothing else but a good SECRET_KEY."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def read(*lines: str, key: str = KEY):
        path = tmp_path / ".env"
        path.write_bytes("\n".join((*lines, f"SECRET_KEY={key}" if key else "", "")).encode())
        return reading.read(path)

    return read


def told(environment):
    return [str(one) for one in environment.faults]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("EMAIL_SMTP_PORT=587 # submission", "EMAIL_SMTP_PORT", 587),
        ("EMAIL_SMTP_PORT = ４６５", "EMAIL_SMTP_PORT", 465),
        ("export EMAIL_SMTP_PORT=“25”\r", "EMAIL_SMTP_PORT", 25),
        ("\ufeffEMAIL_SMTP_PORT='25'", "EMAIL_SMTP_PORT", 25),
        ("EMAIL_SMTP_PORT=", "EMAIL_SMTP_PORT", 587),
        ('EMAIL_ENABLED="True"  # yes', "EMAIL_ENABLED", True),
        ("EMAIL_ENABLED=OFF", "EMAIL_ENABLED", False),
        ("LOG_LEVEL=debug", "LOG_LEVEL", "DEBUG"),
        ("NOTIFICATION_QUEUE=「redis」", "NOTIFICATION_QUEUE", "redis"),
        ("ALLOWED_HOSTS=a.example.com， b.example.com,", "ALLOWED_HOSTS", ["a.example.com", "b.example.com"]),
        ("ALLOWED_HOSTS=", "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"]),
        ("DEFAULT_RECIPIENTS=", "DEFAULT_RECIPIENTS", []),
        ("SCHEDULER_ALLOWED_MODULES=", "SCHEDULER_ALLOWED_MODULES", []),
        ("PRIVATE_NETWORKS=10.2.0.0/16, fd00::/8", "PRIVATE_NETWORKS", ["10.2.0.0/16", "fd00::/8"]),
        ("SITE_URL=https://vigil.example.com/", "SITE_URL", "https://vigil.example.com"),
        ("SITE_URL=https://example.com/vigil/", "SITE_URL", "https://example.com/vigil"),
        ("REDIS_URL=REDIS://127.0.0.1:6379/0", "REDIS_URL", "redis://127.0.0.1:6379/0"),
        ("REDIS_URL=redis://:pa%23ss@h:6379/0", "REDIS_URL", "redis://:pa%23ss@h:6379/0"),
        ("REDIS_URL=rediss://u:pa@ss@h/15", "REDIS_URL", "rediss://u:pa@ss@h/15"),
        ("REDIS_URL=unix:///run/redis.sock?db=1", "REDIS_URL", "unix:///run/redis.sock?db=1"),
        ("CELERY_BROKER_URL=amqp://u:p@h:5672//vhost", "CELERY_BROKER_URL", "amqp://u:p@h:5672//vhost"),
        ("CELERY_BROKER_URL=amqp://a//;amqp://b//", "CELERY_BROKER_URL", "amqp://a//;amqp://b//"),
        ("DATABASE_URL=postgres://u@%2Frun%2Fpostgresql/db", "DATABASE_URL", "postgres://u@%2Frun%2Fpostgresql/db"),
        ("DATABASE_URL=sqlite:////srv/a@b/x.sqlite3", "DATABASE_URL", "sqlite:////srv/a@b/x.sqlite3"),
        ("EMAIL_PASSWORD=a#b", "EMAIL_PASSWORD", "a#b"),
        ('EMAIL_PASSWORD="a # b"', "EMAIL_PASSWORD", "a # b"),
        ("EMAIL_PASSWORD=密码１", "EMAIL_PASSWORD", "密码１"),
        ('EMAIL_FROM="Project, Inc." <x@example.com>', "EMAIL_FROM", '"Project, Inc." <x@example.com>'),
        ("ADMIN_EMAIL= Olga <olga@example.com>", "ADMIN_EMAIL", "olga@example.com"),
    ],
)  # fmt: skip
def test_value_is_read_right(read, line, name, value):
    environment = read(line)
    assert told(environment) == []
    assert environment[name] == value


WRONG = [
    ("EMAIL_ENABLED=ture", "'ture' is not true or false", "EMAIL_ENABLED=true. Did you mean true?"),
    ("EMAIL_SMTP_PORT=58x", "'58x' is not a whole number from 1 to 65535", "EMAIL_SMTP_PORT=587"),
    ("EMAIL_SMTP_PORT=70000", "'70000' is not a whole number", "EMAIL_SMTP_PORT=587"),
    ("EMAIL_CONNECTIONS=-1", "'-1' is not a whole number from 0", "EMAIL_CONNECTIONS=4"),
    ("EMAIL_FROM=Alert@Ops <bot@example.com>", "one address", 'Did you mean "Alert@Ops" <bot@example.com>?'),
    ("EMAIL_FROM=a@b.com, c@d.com", "one address", "Did you mean a@b.com?"),
    ("EMAIL_FROM=Project, Inc. <x@y.z>", "one address", 'Did you mean "Project, Inc." <x@y.z>?'),
    ("EMAIL_SMTP_SERVER=smtp://smtp.example.com:25", "'smtp://smtp.example.com:25'", "Did you mean smtp.example.com?"),
    ("ADMIN_EMAIL=olga", "one e-mail address", "ADMIN_EMAIL=olga@example.com"),
    ("LOG_LEVEL=WARN", "'WARN' is not one of INFO, DEBUG", "Did you mean WARNING?"),
    ("LANGUAGE_CODE=zh-cn", "one of en, zh-hans", "Did you mean zh-hans?"),
    ("NOTIFICATION_QUEUE=Radis", "one of auto, redis", "Did you mean redis?"),
    ("TIME_ZONE=Asia/Beijing", "the name of a time zone", "Did you mean Asia/Shanghai?"),
    ("TIME_ZONE=shanghai", "the name of a time zone", "Did you mean Asia/Shanghai?"),
    ("TIME_ZONE=../etc", "the name of a time zone", "TIME_ZONE=Asia/Shanghai"),
    ("ALLOWED_HOSTS=https://a.example.com/", "host names", "Did you mean a.example.com?"),
    ("ALLOWED_HOSTS=a.example.com:8000", "host names", "Did you mean a.example.com?"),
    ("JOB_FILE=shop/jobs.py", "a Python module", "Did you mean shop.jobs?"),
    ("PRIVATE_NETWORKS=10.2.0.0/99", "'10.2.0.0/99' is not usable", "10.2.0.0/16"),
    ("SITE_URL=vigil.example.com", "the scheme is missing", "Did you mean https://vigil.example.com?"),
    ("SITE_URL=https//vigil.example.com", "the scheme is missing", "Did you mean https://vigil.example.com?"),
    ("SITE_URL=https://h/?a=1", "more than host, port and path", "Did you mean https://h?"),
    ("METRICS_PUSH_URL=pushgateway:9091", "the scheme is missing", "Did you mean https://pushgateway:9091?"),
    ("PROBE_URL=ftp://h/", "ftp is not possible", "PROBE_URL=https://"),
    ("SMS_ENDPOINT=https://", "it has no host", "SMS_ENDPOINT=https://dysmsapi.aliyuncs.com"),
    ("REDIS_URL=redis://:pa#ss@127.0.0.1:6379/0", "'redis://:***@127.0.0.1:6379/0'", "# is %23"),
    ("REDIS_URL=redis://:pa/ss@127.0.0.1:6379/0", "'redis://:***@127.0.0.1:6379/0'", "/ is %2F"),
    ("REDIS_URL=rediss://u:pa?ss@h/0", "'rediss://u:***@h/0'", "percent-encoded"),
    ("REDIS_URL=redis://:pa[ss@h/0", "'redis://:***@h/0'", "percent-encoded"),
    ("REDIS_URL=127.0.0.1:6379", "the scheme is missing", "Did you mean redis://127.0.0.1:6379?"),
    ("REDIS_URL=redis://h:6379/first", "the number of a database", "Did you mean redis://h:6379/0?"),
    ("REDIS_URL=redis://h:port/0", "its host or port cannot be read", "REDIS_URL=redis://"),
    ("REDIS_URL=unix://", "it names no socket", "unix:///run/redis.sock?db=0"),
    ("CELERY_BROKER_URL=ampq://u:p@h//", "ampq is not possible", "Did you mean amqp://u:***@h//?"),
    ("CELERY_BROKER_URL=amqp://u:p#1@h//", "'amqp://u:***@h//'", "percent-encoded"),
    ("DATABASE_URL=postgres://u:p@ss#1@h/db", "'postgres://u:***@h/db'", "percent-encoded"),
    ("DATABASE_URL=postgresql+psycopg://u:p@h/db", "is not possible", "Did you mean postgresql://u:***@h/db?"),
    ("DATABASE_URL=mysql://u:p@h/db", "mysql is not possible", "postgresql://"),
    ("DATABASE_URL=postgresql://u:p@h", "it names no database", "Did you mean postgresql://u:***@h/vigil?"),
    ("DATABASE_URL=/srv/vigil.sqlite3", "the scheme is missing", "Did you mean sqlite:////srv/vigil.sqlite3?"),
    ("EMAIL_PASSWORD=abc # old", "*** is not a text: put quotes around it", "EMAIL_PASSWORD="),
    ("SMTP_PORT=2\nEMAIL_ENABLE=1", "EMAIL_ENABLE", "Did you mean EMAIL_ENABLED?"),
    ("WECHAT_WEBHOOK=https://h/", "no part of Vigil reads", "Did you mean WECHAT_WEBHOOK_URL?"),
    ("database_url=sqlite://", "no part of Vigil reads", "Did you mean DATABASE_URL?"),
    ("EMAIL_COLOUR=red", "no part of Vigil reads", "configuration.md"),
    ("WEB_CONCURRENCY=4", "has no effect there", "environment of the process"),
    ("EMAIL_ENABLED true", "line 1: expected NAME=value", "EMAIL_ENABLED=true"),
    ('EMAIL_FROM="Bot <x@y.z>', "begins with a quote that is not closed", "EMAIL_FROM="),
]  # fmt: skip


@pytest.mark.parametrize(("line", "what", "hint"), WRONG, ids=[one[0] for one in WRONG])
def test_wrong_value_is_told_with_what_to_write(read, line, what, hint):
    [text] = told(read(line))
    number = len(line.split("\n"))
    assert f".env line {number}" in text
    assert line.rpartition("\n")[2].partition("=")[0].split()[0] in text
    assert what in text
    assert hint in text


@pytest.mark.parametrize(
    "line", ["REDIS_URL=redis://:pa#ss@h/0", "DATABASE_URL=postgres://u:p@ss/1@h/db",
             "DATABASE_URL=postgres//u:p@ss@h/db", "WEBHOOK_URL=hooks.example.com/p@ss",
             "EMAIL_PASSWORD=pa # p@ss", "HEARTBEAT_URL=hc/pa#ss", "REDIS_URL=pa#ss@h", "SECRET_KEY=pa#ss"],
)  # fmt: skip
def test_secret_is_never_shown(read, line):
    environment = read(line, key="" if line.startswith("SECRET_KEY") else KEY)
    text = " ".join(told(environment))
    assert text
    assert not any(piece in text for piece in ("pa#ss", "p@ss", "ss@", "#ss"))


def test_all_faults_are_told_at_once_and_refuse_the_start_together(read):
    lines = (
        "EMAIL_ENABLED=ture",
        "LOG_LEVEL=loud",
        "REDIS_URL=h",
        "TIME_ZONE=Mars",
        "SECRET_KEY=x",
    )
    environment = read(*lines, key="")
    with pytest.raises(ImproperlyConfigured) as caught:
        environment.insist()
    said = str(caught.value).splitlines()
    assert len(said) == len(lines)
    assert {name for name in VARIABLES for line in said if f"({name})" in line} == {
        line.partition("=")[0] for line in lines
    }


def test_wrong_value_of_something_that_is_not_needed_refuses_nothing(read):
    environment = read("EMAIL_ENABLED=ture", "REDIS_URL=redis://:a#b@h/0", "JOB_FILE=a/b.py", "NO")
    environment.insist()
    assert environment["REDIS_URL"] == ""
    assert environment["JOB_FILE"] == "a/b.py", (
        "the scheduler refuses it, and keeps the last good file"
    )
    assert environment.faulty == {"EMAIL_ENABLED", "REDIS_URL", "JOB_FILE"}


def test_channel_with_a_wrong_value_is_on_and_says_why(read):
    environment = read(
        "EMAIL_ENABLED=ture", "EMAIL_SMTP_SERVER=smtp.example.com", "WECHAT_ENABLED=true"
    )
    options = environment.channel("EMAIL")
    assert options["ENABLED"] is True
    assert "EMAIL_ENABLED" in str(options["PROBLEM"])
    assert options["SMTP_SERVER"] == "smtp.example.com"
    assert "PROBLEM" not in environment.channel("WECHAT")
    assert "APP_ENABLED" not in environment.channel("WECHAT")
    with translation.override("zh-hans"):
        assert "不能用" in str(options["PROBLEM"])


@pytest.mark.parametrize(
    ("key", "why"),
    [("x", "its length is 1"), ("ab" * 30, "repeats"), ("django-insecure-" + KEY, "begins with"), ("", "not set")],
)  # fmt: skip
def test_weak_secret_key_is_refused_outside_debug(read, key, why):
    with pytest.raises(ImproperlyConfigured, match=why):
        read(key=key).insist()
    if key:
        read("DEBUG=true", key=key).insist()
        assert read("DEBUG=true", key=key)["SECRET_KEY"] == key
    else:
        with pytest.raises(ImproperlyConfigured):
            read("DEBUG=true", key=key).insist()


def test_empty_secret_key_is_refused_with_what_to_do(read):
    for debug in ("false", "true"):
        with pytest.raises(ImproperlyConfigured, match=r"line 1 .*Take the line out of \.env"):
            read("SECRET_KEY=", f"DEBUG={debug}", key="").insist()


def test_environment_of_the_process_comes_first(read, monkeypatch):
    monkeypatch.setenv("EMAIL_SMTP_PORT", '"25"')
    monkeypatch.setenv("EMAIL_ENABLED", "ture")
    monkeypatch.setenv("EMAIL_ENABLE", "1")
    monkeypatch.setenv("EMAIL_HOST_OF_ANOTHER_PROGRAM", "1")
    monkeypatch.setenv("LOG_FILES", "1")
    environment = read("EMAIL_SMTP_PORT=26", "EMAIL_ENABLED=true")
    assert environment["EMAIL_SMTP_PORT"] == 25
    first, second = told(environment)
    assert first.startswith("EMAIL_ENABLED: 'ture'")
    assert second.startswith("EMAIL_ENABLE: no part of Vigil")


def test_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    path = tmp_path / ".env"
    path.write_bytes(f"SECRET_KEY={KEY}\nEMAIL_FROM=".encode() + b"\xb9\xa4\xb3\xcc <x@y.z>\n")
    with pytest.raises(
        ImproperlyConfigured, match=r"line 2: not UTF-8 text\. Save the file as UTF-8"
    ):
        reading.read(path).insist()


def test_value_of_the_process_that_is_not_utf_8_is_told(read, monkeypatch):
    monkeypatch.setenv("EMAIL_USERNAME", os.fsdecode(b"\xb9\xa4"))
    [text] = told(read())
    assert "EMAIL_USERNAME" in text
    text.encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(name=st.sampled_from(sorted(VARIABLES)), value=st.text(max_size=40))
def test_no_value_breaks_the_reading(tmp_path, monkeypatch, name, value):
    path = tmp_path / ".env"
    path.write_text(f"{name}={value}\n", "utf-8", "surrogatepass" if value.isascii() else "replace")
    environment = reading.read(path)
    assert all(str(one) for one in environment.faults)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp"]), max_size=30))
def test_plain_values_are_read_as_decouple_reads_them(tmp_path, value):
    path = tmp_path / ".env"
    path.write_text(f"EMAIL_USERNAME={value}\n", "utf-8")
    found = env_file.read(path)
    if not found.broken and not found.entries["EMAIL_USERNAME"].is_quoted:
        assert (
            found.entries["EMAIL_USERNAME"].value
            == decouple.RepositoryEnv(str(path))["EMAIL_USERNAME"]
        )


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_default_and_example_are_allowed(variable):
    for text in filter(None, (variable.default, variable.example or variable.kind.example)):
        variable.kind.parse(variable.kind.tidied(text))
    assert variable.default or variable.wrong is not Wrong.PASSED_ON or variable.kind.example


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("1.5s", 1.5), ("5 m", 300), ("2H", 7200), ("1d", 86_400)]
)
def test_durations(text, seconds):
    assert kinds.Duration().parse(text) == seconds


@pytest.mark.parametrize("text", ["", "5 minutes", "-1", "1e3", "٣"])
def test_what_is_no_duration(text):
    with pytest.raises(NotAllowedError):
        kinds.Duration().parse(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=20))
def test_no_password_shows_wherever_a_url_breaks(password):
    secret = f"ZZ{password}ZZ"
    assert secret not in hidden(f"redis://user:{secret}@127.0.0.1:6379/0")


def test_broker_whose_url_cannot_be_read_is_away_and_shows_no_password(monkeypatch):
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    line = Line(Celery("test", broker="amqp://u:pa#ss@127.0.0.1//"))
    with pytest.raises(BrokerError, match="percent-encode") as caught:
        line.top_up("default", 1)
    assert "'pa'" not in str(caught.value)
