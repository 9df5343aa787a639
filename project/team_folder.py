"""The folder of the team's own jobs: made once, never in git, so that an update of Vigil does not meet its files."""

from __future__ import annotations

from pathlib import Path

NAME = "team"
JOB_FILE = f"{NAME}.scheduler_config"
TEMPLATE = '''\
"""The jobs of this team. An update of Vigil changes nothing in this folder: keep it in a repository of your own.

To add a job: write a function in a file beside this one, like team/reports.py, and an entry in JOBS. The running
scheduler takes it over within seconds. docs/jobs.md has every field.
"""

from __future__ import annotations

from project.scheduler_config import CHANNELS as SYSTEM_CHANNELS
from project.scheduler_config import JOBS as SYSTEM_JOBS

JOBS = [
    # {
    #     "id": "nightly_report",
    #     "name": "Nightly report",
    #     "module": "team.reports",
    #     "callable": "nightly_report",
    #     "cron": "30 2 * * *",
    #     "owner": "admin",
    #     "category": "reports",
    #     "description": "Writes the report of the day before.",
    # },
    *SYSTEM_JOBS,  # Vigil's own: an update brings their changes
]

CHANNELS = {
    **SYSTEM_CHANNELS,
    # "WECHAT": {"enabled": False, "owner": "admin"},
}
'''


def create(home: Path) -> bool:
    """Make the folder with an empty package and the job file; True if made. What is there stays as it is."""
    folder = home / NAME
    if folder.exists():
        return False
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "scheduler_config.py").write_text(TEMPLATE, encoding="utf-8")
    return True
