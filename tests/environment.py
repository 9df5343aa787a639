"""The environment of every test and of every process that tests start: nothing of the developer's `.env` or shell."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(tempfile.mkdtemp(prefix="vigil-tests-"))
OWNER = os.getpid()

ADMIN_PASSWORD = "tests-admin-password"
METRICS_TOKEN = "tests-metrics-token"

# One value for each variable that project/settings.py reads: one left out would be read from the developer's .env.
NEUTRAL: Mapping[str, str] = {
    "ADMIN_PASSWORD": ADMIN_PASSWORD,
    "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
    "APPRISE_ENABLED": "false",
    "APPRISE_URL": "",
    "CELERY_BROKER_URL": "",
    "DATABASE_PREPARE": "true",
    "DATABASE_URL": f"sqlite:///{FOLDER / 'vigil.sqlite3'}",
    "DEBUG": "false",
    "DEFAULT_RECIPIENTS": "admin",
    "EMAIL_CA_FILE": "",
    "EMAIL_CONNECTIONS": "4",
    "EMAIL_ENABLED": "false",
    "EMAIL_FROM": "",
    "EMAIL_PASSWORD": "",
    "EMAIL_SMTP_PORT": "587",
    "EMAIL_SMTP_SERVER": "",
    "EMAIL_USERNAME": "",
    "EMAIL_USE_TLS": "auto",
    "FAILURE_THRESHOLD": "3",
    "HEARTBEAT_URL": "",
    "JOB_FILE": "project.scheduler_config",
    "LANGUAGE_CODE": "en",
    "LOG_DIR": str(FOLDER / "log"),
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "INFO",
    "METRICS_PUSH_URL": "",
    "METRICS_TOKEN": METRICS_TOKEN,
    "NOTIFICATION_QUEUE": "auto",
    "PRIVATE_NETWORKS": "",
    "TRUSTED_PROXIES": "0",
    "PROBE_URL": "",
    "REDIS_URL": "",
    "SCHEDULER_ALLOWED_MODULES": "project.demo",
    "SCHEDULER_EXECUTOR": "local",
    "SECRET_KEY": "tests-secret-key-that-is-long-enough-for-every-check-0123456789",
    "SITE_URL": "http://localhost:8000",
    "SMS_ACCESS_KEY_ID": "",
    "SMS_ACCESS_KEY_SECRET": "",
    "SMS_ENABLED": "false",
    "SMS_ENDPOINT": "https://dysmsapi.aliyuncs.com",
    "SMS_SIGN_NAME": "",
    "SMS_TEMPLATE_CODE": "",
    "TIME_ZONE": "UTC",
    "VAR_DIR": str(FOLDER / "var"),
    "WEBHOOK_ENABLED": "false",
    "WEBHOOK_SECRET": "",
    "WEBHOOK_URL": "",
    "WECHAT_APP_AGENT_ID": "",
    "WECHAT_APP_CORP_ID": "",
    "WECHAT_APP_ENABLED": "false",
    "WECHAT_APP_SECRET": "",
    "WECHAT_ENABLED": "false",
    "WECHAT_FORMAT": "text",
    "WECHAT_WEBHOOK_URL": "",
}
OF_THE_MACHINE = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "CI")


def isolate() -> None:
    """Give this process the neutral environment; only DATABASE_URL may come from outside (see tests/storeys.py)."""
    database_url = os.environ.get("DATABASE_URL") or NEUTRAL["DATABASE_URL"]
    os.environ.update(NEUTRAL, DATABASE_URL=database_url, DJANGO_SETTINGS_MODULE="project.settings")
    os.environ.pop("VIGIL_LOG_STDOUT", None)


def clean(**changes: str) -> dict[str, str]:
    """The whole environment for a process that a test starts: neutral values, then `changes`."""
    kept = {name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ}
    return {**kept, **NEUTRAL, "DJANGO_SETTINGS_MODULE": "project.settings", **changes}


@atexit.register
def _remove_folder() -> None:
    if os.getpid() == OWNER:  # not in a forked child
        shutil.rmtree(FOLDER, ignore_errors=True)
