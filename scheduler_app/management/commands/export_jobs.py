from __future__ import annotations

from typing import Any

from scheduler_app import conf, export, jobfile
from scheduler_app.commands import VigilCommand
from scheduler_app.errors import JobFileError


class Command(VigilCommand):
    help = (
        "Print the job file as Python with the values in force, so that changes made in the admin can be taken over "
        "into the file. Comments are not kept."
    )
    errors = (JobFileError,)

    def work(self, **options: Any) -> None:
        self.stdout.write(export.as_python(jobfile.load(conf.get().JOB_FILE)), ending="")
