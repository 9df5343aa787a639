"""Settings of the Vigil site, filled from the process environment or `.env` (python-decouple).

project/configuration/ has the table of all variables, with their types and defaults, and judges them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from project.configuration.reading import environment
from project.configuration.variables import CHANNELS
from project.private_files import database_files, keep_private
from scheduler_app import __version__
from scheduler_app.connections import CLIENT_OPTIONS

env = environment()
env.insist()
BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / env["VAR_DIR"]

DEBUG = env["DEBUG"]
SECRET_KEY = env["SECRET_KEY"]
ALLOWED_HOSTS = env["ALLOWED_HOSTS"]
SITE_URL = env["SITE_URL"]
_SITE = urlsplit(SITE_URL)
FORCE_SCRIPT_NAME = _SITE.path or None  # the site may be below a path of its host
CSRF_TRUSTED_ORIGINS = [f"https://{_SITE.netloc}"] if _SITE.scheme == "https" else []
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = f"{_SITE.path}/"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CSRF_TRUSTED_ORIGINS else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = bool(CSRF_TRUSTED_ORIGINS)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "notifications_app",
    "alerts_app",
    "scheduler_app",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_apscheduler",
    "django_prometheus",
    "axes",
    "project.apps.ProjectConfig",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "scheduler_app.middleware.DatabaseOutages",
    "project.middleware.ContentSecurityPolicy",
    "scheduler_app.odd_values.RefuseUnstorable",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "project.middleware.AdminLikePages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
    "project.middleware.VisibleText",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
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


def database_settings(url: str) -> dict[str, Any]:
    """A DATABASES entry: SQLite in WAL mode, or a server with checked connections."""
    database: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60))
    database["CONN_HEALTH_CHECKS"] = True
    if database["ENGINE"].endswith("sqlite3"):
        if database["NAME"] != ":memory:":
            database["NAME"] = str(BASE_DIR / database["NAME"])
        database["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
        database["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
    elif database["ENGINE"].endswith("postgresql"):
        options = database.setdefault("OPTIONS", {})
        for name, value in CLIENT_OPTIONS.items():  # the URL may have its own
            options.setdefault(name, value)
        if env["DATABASE_PREPARE"]:
            # what is asked again and again is planned once for each connection
            options |= {"server_side_binding": True, "prepare_threshold": 5}
    return database


try:
    VAR_DIR.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"VAR_DIR: {VAR_DIR} cannot be made: {error.strerror}.") from error
DATABASE_URL = env["DATABASE_URL"] or f"sqlite:///{VAR_DIR / 'vigil.sqlite3'}"
DATABASES = {"default": database_settings(DATABASE_URL)}
keep_private(VAR_DIR, BASE_DIR / ".env", *database_files(DATABASES["default"]))

REDIS_URL = env["REDIS_URL"]
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
if REDIS_URL:
    CACHES["vigil_queue"] = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 5},
    }

CELERY_BROKER_URL = env["CELERY_BROKER_URL"] or REDIS_URL
if "CELERY_BROKER_URL" in env.faulty or ("REDIS_URL" in env.faulty and not CELERY_BROKER_URL):
    # one that is away, so that runs wait for it and everything else goes on
    CELERY_BROKER_URL = "redis://broker.invalid:6379/0"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: a locked account costs no hashing
    "django.contrib.auth.backends.ModelBackend",
]
TRUSTED_PROXIES = env["TRUSTED_PROXIES"]
AXES_HANDLER = "project.sign_in.TwoLocks"
AXES_CLIENT_IP_CALLABLE = "project.sign_in.client_address"
AXES_LOCKOUT_CALLABLE = "project.sign_in.locked"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = env["LANGUAGE_CODE"]
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env["TIME_ZONE"]
USE_I18N = True
USE_TZ = True

STATIC_URL = f"{_SITE.path}/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # whitenoise warns without it
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "scheduler_app.api.authentication.SessionAuthentication401",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Vigil",
    "DESCRIPTION": "Jobs, runs, alerts, notifications and their figures.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX_INSERT": _SITE.path,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

METRICS_TOKEN = env["METRICS_TOKEN"]
PROBE_URL = env["PROBE_URL"]
FAILURE_THRESHOLD = env["FAILURE_THRESHOLD"]

DOCUMENTS = VAR_DIR / "docs"
"""What commands write."""

VIGIL_SCHEDULER = {
    "JOB_FILE": env["JOB_FILE"],
    "EXECUTOR": env["SCHEDULER_EXECUTOR"],
    "ISOLATION": env["SCHEDULER_ISOLATION"],
    "CELERY_APP": "project.celery.app",
    "ALLOWED_MODULES": env["SCHEDULER_ALLOWED_MODULES"],
    "SITE_URL": SITE_URL,
    "VERIFY_LOG": str(env["VERIFY_LOG"] or DOCUMENTS / "BURNDOWN_TRACKING_LOG.md"),
    "VERIFY_ARCHIVE": str(DOCUMENTS / "verification"),
    "PUSH_URL": env["METRICS_PUSH_URL"],
    "HEARTBEAT_URL": env["HEARTBEAT_URL"],
}
VIGIL_ALERTS = {
    "SITE_URL": SITE_URL,
    "RISK_REGISTER": str(env["RISK_REGISTER"] or DOCUMENTS / "RISK_REGISTER.md"),
}
VIGIL_NOTIFICATIONS = {
    "DEFAULT_RECIPIENTS": env["DEFAULT_RECIPIENTS"],
    "SILENT_OWNERS": ["demo"],
    "QUEUE": env["NOTIFICATION_QUEUE"],
    "SITE_URL": SITE_URL,
    **{channel: env.channel(channel) for channel in CHANNELS},
    "PRIVATE_NETWORKS": env["PRIVATE_NETWORKS"],
}

LOG_DIR = BASE_DIR / (env["LOG_DIR"] or VAR_DIR / "log")
LOG_FORMAT = env["LOG_FORMAT"]
LOG_LEVEL = env["LOG_LEVEL"]
LOGGING_CONFIG = "project.log.configure"
LOGGING = {"DIR": str(LOG_DIR), "FORMAT": LOG_FORMAT, "LEVEL": LOG_LEVEL}
