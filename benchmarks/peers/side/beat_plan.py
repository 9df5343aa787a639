"""Makes TASKS periodic tasks of which DUE are due at every minute, and the others on New Year's night."""

from __future__ import annotations

import sys

from django.core.management import call_command

from benchmarks.peers.side import celery_app

TASK = celery_app.tick.name


def main(tasks: int, due: int) -> None:
    from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

    call_command("migrate", run_syncdb=True, verbosity=0)
    always = CrontabSchedule.objects.create(minute="*")
    rarely = [
        CrontabSchedule.objects.create(
            minute=str(minute), hour="3", day_of_month="1", month_of_year="1"
        )
        for minute in range(60)
    ]
    PeriodicTask.objects.bulk_create(
        PeriodicTask(
            name=f"task{number}",
            task=TASK,
            crontab=always if number < due else rarely[number % 60],
            args=f"[{number}]",
        )
        for number in range(tasks)
    )
    PeriodicTasks.update_changed()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
