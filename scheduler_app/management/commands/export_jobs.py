from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from scheduler_app import conf, export, jobfile
from scheduler_app.commands import VigilCommand
from scheduler_app.errors import JobFileError
from scheduler_app.masking import MASK


class Command(VigilCommand):
    help = (
        "Print the job file as Python with the values in force, so that changes made in the admin can be taken over "
        "into the file. Comments are not kept, and secrets are shown as *** unless --with-secrets is given."
    )
    errors = (JobFileError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--with-secrets", action="store_true", help="print passwords and tokens in arguments"
        )

    def work(self, **options: Any) -> None:
        file = jobfile.load(conf.get().JOB_FILE)
        text = export.as_python(file, with_secrets=options["with_secrets"])
        self.stdout.write(text, ending="")
        if not options["with_secrets"] and MASK in text:
            self.say(f"{MASK} stands for a secret: --with-secrets prints the values.")
