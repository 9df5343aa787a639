"""The declared table of all environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from project.configuration import kinds, urls
from project.configuration.kinds import Bool, Choice, File, Integer, Kind, Module, Text
from project.configuration.sender import Address, Sender
from project.configuration.urls import Url

PAGE = "docs/reference/configuration.md"
CHANNELS = ("WECHAT_APP", "EMAIL", "WECHAT", "SMS", "WEBHOOK", "APPRISE")
"""Each reads the variables that begin with its name; of two that fit, the first."""
PREFIXES = (
    *(f"{channel}_" for channel in CHANNELS),
    "SCHEDULER_",
    "NOTIFICATION_",
    "METRICS_",
    "VIGIL_",
)
"""A name that begins like this is meant for Vigil."""


class Wrong(Enum):
    """What a value that is not allowed does."""

    DEFAULT = "The default is used until it is corrected."
    PASSED_ON = "What uses it fails, and says so, until it is corrected."
    REFUSED = "Nothing starts until it is corrected."
    REFUSED_UNLESS_DEBUG = "Nothing starts until it is corrected, unless DEBUG is on."


@dataclass(frozen=True, slots=True)
class Variable:
    """`default` is written as in `.env`; "": none. `usual` says in words what holds without a value."""

    name: str
    kind: Kind
    default: str
    meaning: str
    usual: str = ""
    example: str = ""
    is_secret: bool = False
    wrong: Wrong = Wrong.DEFAULT
    may_be_empty: bool = False
    """An empty value is a value of its own (an empty list), not the default."""
    only_process: bool = False
    """Read by something that does not look into `.env`."""

    @property
    def channel(self) -> str:
        """The channel whose option it is, else ""."""
        return next((one for one in CHANNELS if self.name.startswith(f"{one}_")), "")

    @property
    def shown_example(self) -> str:
        made_up = f"YOUR_{self.name.partition('_')[2]}" if self.is_secret else ""
        return self.example or self.kind.example or self.default or made_up


TEXT, BOOL, PORT = Text(), Bool(), kinds.PORT
V = Variable
WEB = ("https", "http")
SECTIONS: Mapping[str, tuple[Variable, ...]] = {
    "Site": (
        V("SECRET_KEY", kinds.SecretKey(), "", "Django's secret for sessions.", usual="written by `scripts/run`", is_secret=True, wrong=Wrong.REFUSED_UNLESS_DEBUG),
        V("DEBUG", BOOL, "false", "Django's debug pages; never on a server."),
        V("SITE_URL", urls.Site(), "http://localhost:8000", "Address of the site in messages; with `https://` cookies are marked secure."),
        V("ALLOWED_HOSTS", kinds.HOSTS, "localhost,127.0.0.1,[::1]", "Host names under which the site answers."),
        V("TIME_ZONE", kinds.TimeZone(), "UTC", "Zone of schedules and pages where none is named.", wrong=Wrong.REFUSED),
        V("LANGUAGE_CODE", Choice("en", "zh-hans"), "en", "Language where a reader has not chosen.", example="zh-hans"),
        V("VAR_DIR", File(), "var", "Folder of the SQLite database, logs, backups and locks.", wrong=Wrong.REFUSED),
        V("LOG_DIR", File(), "", "Folder of `scheduler.log`.", usual="`log` in `VAR_DIR`", example="/var/log/vigil"),
        V("LOG_FORMAT", Choice("json", "console"), "json", "How a line of the log looks.", example="console"),
        V("LOG_LEVEL", kinds.LOG_LEVEL, "INFO", "The least level that is logged."),
        V("VIGIL_LOG_STDOUT", Choice("0", "1"), "0", "`1`: every process logs to stdout, too.", only_process=True),
        V("VIGIL_ENV_FILE", File(), "", "The file that is read in place of `.env`.", usual="`.env` beside `manage.py`", example="/etc/vigil.env", only_process=True),
        V("WEB_CONCURRENCY", Integer(1, 256), "1", "Number of gunicorn's processes.", only_process=True),
    ),
    "First user": (
        V("ADMIN_PASSWORD", TEXT, "", "Password with which `scripts/run` makes the user `admin`; changing it later changes nothing.", usual="written by `scripts/run`", is_secret=True),
        V("ADMIN_EMAIL", Address(), "", "Address of the user `admin`, given by `scripts/run` while the user has none.", example="olga@example.com"),
    ),
    "Database and queues": (
        V("DATABASE_URL", urls.Database(), "", "The database.", usual="`sqlite:///` and `vigil.sqlite3` in `VAR_DIR`", wrong=Wrong.REFUSED),
        V("DATABASE_PREPARE", BOOL, "true", "Prepared statements on PostgreSQL; `false` behind a PgBouncer that pools transactions and is older than 1.22.", example="false"),
        V("REDIS_URL", urls.Redis(), "", "Redis that tells workers of new messages at once."),
        V("CELERY_BROKER_URL", urls.Broker(), "", "Redis or RabbitMQ for Celery workers.", usual="`REDIS_URL`"),
        V("NOTIFICATION_QUEUE", Choice("auto", "redis", "celery", "database"), "auto", "`auto`: Redis where it answers; `celery`: Celery workers of the queue `notifications`; `database`: workers poll."),
    ),
    "Scheduler": (
        V("JOB_FILE", Module(), "project.scheduler_config", "Module with `JOBS` and `CHANNELS`; `scripts/run` writes `team.scheduler_config`.", wrong=Wrong.PASSED_ON),
        V("VERIFY_LOG", File(), "", "Where `verify_jobs --log` writes its line.", usual="`docs/BURNDOWN_TRACKING_LOG.md` in `VAR_DIR`", example="docs/BURNDOWN_TRACKING_LOG.md"),
        V("RISK_REGISTER", File(), "", "The risk register.", usual="`docs/RISK_REGISTER.md` in `VAR_DIR`", example="docs/RISK_REGISTER.md"),
        V("SCHEDULER_EXECUTOR", Choice("local", "celery"), "local", "What runs jobs: `local`, the scheduler; `celery`, [Celery workers](../scheduling.md)."),
        V("SCHEDULER_ISOLATION", Choice("process", "thread"), "process", "Where the code of a job runs: `process`, one for each run; `thread` of the scheduler ([which to choose](../jobs.md#processes-and-threads))."),
        V("SCHEDULER_ALLOWED_MODULES", kinds.MODULES, "project.demo", "Modules whose functions may be run, and commands (`management:NAME`), beside those that the job file names.", may_be_empty=True),
        V("FAILURE_THRESHOLD", Integer(1, 1_000_000), "3", "Failures in an hour from which the heat map marks a cell."),
    ),
    "Monitoring": (
        V("METRICS_TOKEN", TEXT, "", "`Authorization: Bearer` token that reads the figures, and nothing else.", usual="written by `scripts/run`", is_secret=True),
        V("METRICS_PUSH_URL", Url(*WEB, example="http://pushgateway:9091"), "", "Address of a Prometheus Pushgateway.", wrong=Wrong.PASSED_ON),
        V("HEARTBEAT_URL", Url(*WEB, example="https://hc-ping.com/UUID"), "", "Ping URL of a Healthchecks check; schedulers call it each minute while they work.", is_secret=True),
        V("PROBE_URL", Url(*WEB, example="https://vigil.example.com/readyz"), "", "What the job `probe_endpoint` asks.", usual="`SITE_URL` and `/readyz`", wrong=Wrong.PASSED_ON),
    ),
    "Notifications": (
        V("DEFAULT_RECIPIENTS", kinds.NAMES, "admin", "Users, addresses or groups that are told where a job's owner is unknown.", may_be_empty=True),
        V("TRUSTED_PROXIES", Integer(0, 10), "0", "Proxies before the site whose `X-Forwarded-For` is believed, such as `1` behind nginx; locks of sign-in count by that address.", example="1"),
        V("PRIVATE_NETWORKS", kinds.NETWORKS, "", "Networks that webhooks, Apprise and the `url` of a run of `probe_endpoint` may reach although they are not public."),
    ),
    "EMAIL": (
        V("EMAIL_ENABLED", BOOL, "false", "E-mail on."),
        V("EMAIL_SMTP_SERVER", kinds.Host(), "", "Host of the mail server.", example="smtp.example.com"),
        V("EMAIL_SMTP_PORT", PORT, "587", "Its port."),
        V("EMAIL_USERNAME", TEXT, "", "Account there.", example="bot@example.com"),
        V("EMAIL_PASSWORD", TEXT, "", "Its password; never sent over plain text to another machine.", is_secret=True),
        V("EMAIL_FROM", Sender(), "", "Sender."),
        V("EMAIL_USE_TLS", Choice("auto", "true", "false", "ssl", "starttls", "yes", "no", "on", "off", "1", "0", "none"), "auto", "`auto`: SSL on ports 465 and 994, STARTTLS on 587."),
        V("EMAIL_CA_FILE", TEXT, "", "File of certificates to trust besides the system's, for a mail server of your own.", example="/etc/ssl/certs/mail.pem"),
        V("EMAIL_EHLO_NAME", TEXT, "", "What Vigil calls itself in EHLO.", usual="this machine's name where it is fully qualified, else its address", example="vigil.example.com"),
        V("EMAIL_CONNECTIONS", Integer(0, 1000), "4", "Connections to the mail server that a worker keeps at most; 0: one for each thread."),
    ),
    "WECHAT": (
        V("WECHAT_ENABLED", BOOL, "false", "WeChat Work on."),
        V("WECHAT_WEBHOOK_URL", Url(*WEB, example="https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=YOUR_KEY"), "", "Address of the group robot.", is_secret=True),
        V("WECHAT_FORMAT", Choice("text", "markdown", "card"), "text", "What the robot posts."),
    ),
    "WECHAT_APP": (
        V("WECHAT_APP_ENABLED", BOOL, "false", "Messages of a WeChat Work application on."),
        V("WECHAT_APP_CORP_ID", TEXT, "", "Id of the company there.", example="ww0123456789abcdef"),
        V("WECHAT_APP_AGENT_ID", Integer(1), "", "Number of the application.", example="1000002"),
        V("WECHAT_APP_SECRET", TEXT, "", "Its secret.", is_secret=True),
    ),
    "SMS": (
        V("SMS_ENABLED", BOOL, "false", "SMS by Aliyun on."),
        V("SMS_ACCESS_KEY_ID", TEXT, "", "Aliyun access key.", is_secret=True),
        V("SMS_ACCESS_KEY_SECRET", TEXT, "", "Its secret.", is_secret=True),
        V("SMS_SIGN_NAME", TEXT, "", "Signature registered there.", example="阿里云"),
        V("SMS_TEMPLATE_CODE", TEXT, "", "Template registered there.", example="SMS_123456789"),
        V("SMS_ENDPOINT", Url(*WEB, example="https://dysmsapi.aliyuncs.com"), "https://dysmsapi.aliyuncs.com", "The gateway."),
    ),
    "WEBHOOK": (
        V("WEBHOOK_ENABLED", BOOL, "false", "Signed webhooks on."),
        V("WEBHOOK_URL", Url(*WEB, example="https://receiver.example.com/vigil"), "", "Where messages of people go who have no webhook of their own.", is_secret=True),
        V("WEBHOOK_SECRET", TEXT, "", "Signs them: `whsec_` and the base64 of 24 random bytes or more.", is_secret=True),
    ),
    "APPRISE": (
        V("APPRISE_ENABLED", BOOL, "false", "DingTalk, Feishu and the other services of [Apprise](https://appriseit.com) on."),
        V("APPRISE_URL", TEXT, "", "Where messages of people go who have no Apprise URL of their own.", example="dingtalk://TOKEN", is_secret=True),
    ),
}  # fmt: skip
VARIABLES: Mapping[str, Variable] = {
    one.name: one for section in SECTIONS.values() for one in section
}
