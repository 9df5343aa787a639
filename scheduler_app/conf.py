"""The settings of scheduler_app: `VIGIL_SCHEDULER`, read lazily, with defaults that work."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from scheduler_app.app_settings import AppSettings, one_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerConf:
    """All of `VIGIL_SCHEDULER`; lengths in seconds."""

    JOB_FILE: str = ""
    """Dotted name of the module with `JOBS` and `CHANNELS`."""
    EXECUTOR: str = one_of("local", "celery", default="local")
    """`local`: threads of the scheduler call the jobs; `celery`: workers of CELERY_APP do."""
    CELERY_APP: str = ""
    """Dotted name of the Celery app whose workers execute, such as "shop.celery.app"."""
    ALLOWED_MODULES: tuple[str, ...] = ()
    """Modules whose callables rows may name, beside those that the job file names."""
    ISOLATION: str = one_of("process", "thread", default="process")
    """Where bodies run whose job does not say it: `process` (one for each run) or `thread`."""
    PRELOAD_S: float = 20.0
    """How long the import of a job's module may take before children are forked; else each child imports it."""
    THREADS: int = 16
    LEASE_S: float = 15.0
    """How long a node may be silent before its runs are LOST."""
    BEAT_S: float = 2.0
    CLAIM_BATCH: int = 500
    SHUTDOWN_S: float = 8.0
    """How long a stopping scheduler waits for running jobs."""
    TERM_GRACE_S: float = 5.0
    """How long a process that is to end has for its clean-up before it is killed."""
    SATURATED_S: float = 30.0
    """How long all threads may be at work before that is told."""
    FILE_CHECK_S: float = 2.0
    LOCK_FILE: str = ""
    """Keeps a second scheduler off an SQLite database; empty: beside the database file."""
    LOG_LIMIT_BYTES: int = 65_536
    """How much of a run's output is kept: the first and the last half of it."""
    RESULT_LIMIT_BYTES: int = 65_536
    SITE_URL: str = ""
    KEEP_SUCCESSES_DAYS: int = 30
    KEEP_FAILURES_DAYS: int = 180
    PUSH_URL: str = ""
    """The Prometheus Pushgateway to which the job `push_metrics` sends all figures."""
    HEARTBEAT_URL: str = ""
    """A check of Healthchecks (or its like) that is pinged while this scheduler works."""
    HEARTBEAT_EVERY_S: float = 60.0
    VERIFY_LOG: str = "docs/BURNDOWN_TRACKING_LOG.md"
    VERIFY_ARCHIVE: str = "docs/verification"


SETTINGS = AppSettings("VIGIL_SCHEDULER", SchedulerConf)
KEYS = SETTINGS.keys
get, raw = SETTINGS.get, SETTINGS.raw


def site_time_zone() -> str:
    return str(settings.TIME_ZONE)


def auth_user_model() -> str:
    return str(settings.AUTH_USER_MODEL)


def script_name() -> str:
    """The path below which the whole project is served, without a slash at its end; "" at the root."""
    return str(settings.FORCE_SCRIPT_NAME or "").rstrip("/")


def metrics_token() -> str:
    return str(getattr(settings, "METRICS_TOKEN", ""))
