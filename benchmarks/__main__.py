"""`python -m benchmarks SUITE [--quick] [--json FILE]`: measure, compare, report."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks import machine, report
from benchmarks.measure import Measure
from benchmarks.stage import Stage, open_stage
from benchmarks.trial import LeftOutError, Trial

SUITES = ("engine", "delivery")
"""Each is a package here with `TRIALS`."""
RUNS = 3
TOLD_CHARACTERS = 1500
"""How much of an error is shown; its end says what happened."""
EXIT_CODES = "Exit codes: 0 every goal met, 1 a goal missed or a trial failed, 2 usage."


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    talk = Console(stderr=True, width=None if sys.stderr.isatty() else 200)
    trials = [
        one for one in trials_of(options.suite) if not options.only or one.name in options.only
    ]
    if not trials:
        names = ", ".join(one.name for one in trials_of(options.suite))
        parser().error(f"--only: choose from {names}")
    runs = 1 if options.quick else options.runs
    if options.quick:
        talk.print("Quick: single, smaller runs. Good for seeing that it works, not for figures.")
    stage = open_stage(
        quick=options.quick,
        full=options.full,
        runs=runs,
        profile=options.profile,
        say=talk.print,
    )
    with stage as ready:
        where = machine.describe(ready.databases.version())
        measures, failed = run_all(trials, ready, talk)
    show(options, where, measures)
    return 0 if all(measure.ok for measure in measures) and not failed else 1


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", epilog=EXIT_CODES)
    made.add_argument("suite", choices=SUITES)
    made.add_argument("--quick", action="store_true", help="at most 90 s, single and smaller runs")
    made.add_argument("--full", action="store_true", help="the memory of a million messages")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the measures to FILE")
    made.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    made.add_argument("--runs", type=int, default=RUNS, help=f"medians of so many ({RUNS})")
    made.add_argument("--only", action="append", metavar="TRIAL", help="this trial; repeatable")
    made.add_argument(
        "--profile",
        type=Path,
        metavar="FOLDER",
        help="py-spy (on PATH) writes the stacks of each scheduler and worker there; slows it down",
    )
    return made


def trials_of(suite: str) -> tuple[Trial, ...]:
    found: tuple[Trial, ...] = importlib.import_module(f"benchmarks.{suite}").TRIALS
    return found


def run_all(
    trials: Sequence[Trial], stage: Stage, talk: Console
) -> tuple[list[Measure], list[Trial]]:
    """The measures of all `trials`, and the trials that failed."""
    measures: list[Measure] = []
    failed: list[Trial] = []
    for trial in trials:
        if stage.quick and trial.not_quick:
            talk.print(f"{trial.name}: left out of --quick, {trial.not_quick}")
            continue
        with _told(trial, talk):
            try:
                found = trial.run(stage)
            except LeftOutError as reason:
                talk.print(f"{trial.name}: left out, {reason}")
                continue
            except Exception as wrong:  # noqa: BLE001 - told, and the other trials go on
                text = f"{type(wrong).__name__}: {str(wrong)[-TOLD_CHARACTERS:]}"
                talk.print(Text(f"{trial.name}: FAILED: {text}", style="bold red"))
                failed.append(trial)
                continue
            report.table(found, talk)
            measures += found
    return measures, failed


@contextlib.contextmanager
def _told(trial: Trial, talk: Console) -> Iterator[None]:
    talk.rule(trial.name, align="left")
    began = time.monotonic()
    yield
    talk.print(f"{trial.name}: {time.monotonic() - began:.0f} s", style="dim")


def show(options: argparse.Namespace, where: str, measures: Sequence[Measure]) -> None:
    if options.markdown:
        sys.stdout.write(f"{where}\n\n{report.markdown(measures)}\n")
    else:
        out = Console(width=None if sys.stdout.isatty() else 200)
        out.print(f"\n{where}")
        report.table(measures, out)
    if options.json:
        report.write_json(options.json, options.suite, where, measures)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends as well
    sys.exit(main())
