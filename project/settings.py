"""Settings of the Vigil site, filled from the process environment or `.env` (python-decouple).

Every value has a default that works on one machine; `README.md` has the table.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from decouple import Csv, config
from django.core.exceptions import ImproperlyConfigured

from project.private_files import database_files, keep_private

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(config("VAR_DIR", default=str(BASE_DIR / "var")))

DEBUG = config("DEBUG", default=False, cast=bool)
SECRET_KEY = config("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set: run scripts/run once, it writes .env.")
ALLOWED_HOSTS = config("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]", cast=Csv())
SITE_URL = config("SITE_URL", default="http://localhost:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = [SITE_URL] if SITE_URL.startswith("https://") else []
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
    "project.middleware.ContentSecurityPolicy",
    "scheduler_app.middleware.RefuseUnstorable",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
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
        database["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
        database["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
    elif database["ENGINE"].endswith("postgresql"):
        options = database.setdefault("OPTIONS", {})
        options.setdefault("connect_timeout", 5)
        if config("DATABASE_PREPARE", default=True, cast=bool):
            # what is asked again and again is planned once for each connection
            options |= {"server_side_binding": True, "prepare_threshold": 5}
    return database


DATABASE_URL = config("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'vigil.sqlite3'}")
DATABASES = {"default": database_settings(DATABASE_URL)}
keep_private(VAR_DIR, BASE_DIR / ".env", *database_files(DATABASES["default"]))

REDIS_URL = config("REDIS_URL", default="")
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
if REDIS_URL:
    CACHES["vigil_queue"] = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 2, "SOCKET_TIMEOUT": 5},
    }

CELERY_BROKER_URL = config("CELERY_BROKER_URL", default="") or REDIS_URL

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
TRUSTED_PROXIES = config("TRUSTED_PROXIES", default=0, cast=int)
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
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = config("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = config("TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
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
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

METRICS_TOKEN = config("METRICS_TOKEN", default="")
PROBE_URL = config("PROBE_URL", default="")
FAILURE_THRESHOLD = config("FAILURE_THRESHOLD", default=3, cast=int)

VIGIL_SCHEDULER = {
    "JOB_FILE": config("JOB_FILE", default="project.scheduler_config"),
    "EXECUTOR": config("SCHEDULER_EXECUTOR", default="local"),
    "CELERY_APP": "project.celery.app",
    "ALLOWED_MODULES": config("SCHEDULER_ALLOWED_MODULES", default="project.demo", cast=Csv()),
    "SITE_URL": SITE_URL,
    "PUSH_URL": config("METRICS_PUSH_URL", default=""),
    "HEARTBEAT_URL": config("HEARTBEAT_URL", default=""),
}
VIGIL_ALERTS = {
    "SITE_URL": SITE_URL,
    "RISK_REGISTER": str(BASE_DIR / "docs" / "RISK_REGISTER.md"),
}
VIGIL_NOTIFICATIONS = {
    "DEFAULT_RECIPIENTS": config("DEFAULT_RECIPIENTS", default="admin", cast=Csv()),
    "QUEUE": config("NOTIFICATION_QUEUE", default="auto"),
    "SITE_URL": SITE_URL,
    "EMAIL": {
        "ENABLED": config("EMAIL_ENABLED", default=False, cast=bool),
        "SMTP_SERVER": config("EMAIL_SMTP_SERVER", default=""),
        "SMTP_PORT": config("EMAIL_SMTP_PORT", default=587, cast=int),
        "USERNAME": config("EMAIL_USERNAME", default=""),
        "PASSWORD": config("EMAIL_PASSWORD", default=""),
        "FROM": config("EMAIL_FROM", default=""),
        "USE_TLS": config("EMAIL_USE_TLS", default="auto"),
        "CA_FILE": config("EMAIL_CA_FILE", default=""),
        "CONNECTIONS": config("EMAIL_CONNECTIONS", default=4, cast=int),
    },
    "WECHAT": {
        "ENABLED": config("WECHAT_ENABLED", default=False, cast=bool),
        "WEBHOOK_URL": config("WECHAT_WEBHOOK_URL", default=""),
        "FORMAT": config("WECHAT_FORMAT", default="text"),
    },
    "WECHAT_APP": {
        "ENABLED": config("WECHAT_APP_ENABLED", default=False, cast=bool),
        "CORP_ID": config("WECHAT_APP_CORP_ID", default=""),
        "AGENT_ID": config("WECHAT_APP_AGENT_ID", default=""),
        "SECRET": config("WECHAT_APP_SECRET", default=""),
    },
    "SMS": {
        "ENABLED": config("SMS_ENABLED", default=False, cast=bool),
        "ACCESS_KEY_ID": config("SMS_ACCESS_KEY_ID", default=""),
        "ACCESS_KEY_SECRET": config("SMS_ACCESS_KEY_SECRET", default=""),
        "SIGN_NAME": config("SMS_SIGN_NAME", default=""),
        "TEMPLATE_CODE": config("SMS_TEMPLATE_CODE", default=""),
        "ENDPOINT": config("SMS_ENDPOINT", default="https://dysmsapi.aliyuncs.com"),
    },
    "WEBHOOK": {
        "ENABLED": config("WEBHOOK_ENABLED", default=False, cast=bool),
        "URL": config("WEBHOOK_URL", default=""),
        "SECRET": config("WEBHOOK_SECRET", default=""),
    },
    "APPRISE": {
        "ENABLED": config("APPRISE_ENABLED", default=False, cast=bool),
        "URL": config("APPRISE_URL", default=""),
    },
    "PRIVATE_NETWORKS": config("PRIVATE_NETWORKS", default="", cast=Csv()),
}

LOG_DIR = Path(config("LOG_DIR", default=str(VAR_DIR / "log")))
LOG_FORMAT = config("LOG_FORMAT", default="json")
LOG_LEVEL = config("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = "project.log.configure"
LOGGING = {"DIR": str(LOG_DIR), "FORMAT": LOG_FORMAT, "LEVEL": LOG_LEVEL}
