"""A project of stock Django with the Vigil apps that VIGIL_TEST_APPS names, and nothing of this site's settings.

Importing it hides the packages that VIGIL_TEST_WITHOUT names, as if they were not installed.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

HIDDEN = frozenset(filter(None, os.environ.get("VIGIL_TEST_WITHOUT", "").split(",")))


class Hiding(MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


assert not HIDDEN.intersection(sys.modules), "to be hidden before it is imported"
sys.meta_path.insert(0, Hiding())

APPS = os.environ.get("VIGIL_TEST_APPS", "scheduler_app,alerts_app,notifications_app").split(",")
BASE_DIR = Path(os.environ["VIGIL_TEST_FOLDER"])
SECRET_KEY = "tests-secret-key-that-is-long-enough-for-every-check-0123456789"
if user_model := os.environ.get("VIGIL_TEST_USER"):
    AUTH_USER_MODEL = f"people.{user_model}"
ALLOWED_HOSTS = ["localhost"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_apscheduler",
    *(["tests.people"] if "VIGIL_TEST_USER" in os.environ else []),
    *APPS,
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.plain_urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}
if url := os.environ.get("VIGIL_TEST_DATABASE_URL"):
    import dj_database_url

    DATABASES = {"default": dj_database_url.parse(url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True
FORCE_SCRIPT_NAME = os.environ.get("VIGIL_TEST_SCRIPT_NAME")
LOGIN_URL = "admin:login"

SITE_URL = "http://localhost:8000"
VIGIL_SCHEDULER = {"JOB_FILE": os.environ.get("VIGIL_TEST_JOB_FILE", "tests.plain_jobs")}
VIGIL_SCHEDULER["SITE_URL"] = SITE_URL
VIGIL_ALERTS = {"SITE_URL": SITE_URL}
VIGIL_NOTIFICATIONS = {"SITE_URL": SITE_URL, "DEFAULT_RECIPIENTS": ["admin"]}
