"""What has to be in place before the services start: settings, translations, tables, jobs, the first user."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

from project import first_run, team_folder, translations
from project.configuration import reading
from project.configuration.env_file import EnvFileError
from project.configuration.kinds import NotAllowedError
from project.configuration.variables import VARIABLES
from project.supervisor.errors import DatabaseUnreachableError, StartError
from project.supervisor.service import Say


def prepare(home: Path, port: int, say: Say) -> str:
    """Bring `.env`, translations and the database up to date; returns what to tell about the user.

    Raises StartError, DatabaseUnreachableError.
    """
    env = reading.path_of_env_file(home)
    added = _complete_env(env, port)
    if "SECRET_KEY" in added:
        say("Wrote .env with new secrets.")
    elif added:
        say(f"Added to .env: {', '.join(added)}.")
    _make_team_folder(home, say)
    _compile_translations(home)
    _load_settings(say)
    _bring_up_database(say)
    return _first_user(env, say, password_is_new="ADMIN_PASSWORD" in added)


def _complete_env(env: Path, port: int) -> list[str]:
    try:
        return first_run.complete_env(env, port)
    except EnvFileError as error:
        raise StartError(str(error)) from error


def _make_team_folder(home: Path, say: Say) -> None:
    try:
        if team_folder.create(home):
            say(
                f"Made the folder {team_folder.NAME} for your jobs; see {team_folder.NAME}/scheduler_config.py."
            )
    except OSError as error:
        raise StartError(f"{home / team_folder.NAME} cannot be made: {error.strerror}.") from error


def _compile_translations(home: Path) -> None:
    try:
        translations.compile_all(home)
    except OSError as error:
        raise StartError(f"The translations cannot be compiled: {error}") from error


def _load_settings(say: Say) -> None:
    """Faults in the settings are told; those that forbid a start are raised, with all others."""
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except (ValueError, OSError, ImproperlyConfigured) as error:
        raise StartError(str(error)) from error
    for fault in reading.environment().faults:
        say(str(fault))


def _bring_up_database(say: Say) -> None:
    from django.core.management import call_command
    from django.db import Error, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            say("Bringing the database up to date ...")
            call_command("migrate", interactive=False, verbosity=0)
    except Error as error:
        text = " ".join(str(error).split())
        raise DatabaseUnreachableError(f"The database cannot be used: {text}") from error
    _sync_jobs(say)


def _sync_jobs(say: Say) -> None:
    """Faults in the job file are told, and stop nothing: the pages show them as well."""
    from django.core.management import CommandError, call_command, get_commands

    if "sync_jobs" not in get_commands():
        return
    try:
        call_command("sync_jobs", stdout=io.StringIO(), stderr=io.StringIO())
    except CommandError as error:
        say(f"The job file was not taken over. {error}")


def _first_user(env: Path, say: Say, *, password_is_new: bool) -> str:
    from django.db import connections

    made = first_run.make_admin(reading.environment()["ADMIN_PASSWORD"])
    email = reading.environment()["ADMIN_EMAIL"] or (_ask_for_address() if made else "")
    if first_run.give_address(email):
        say(f"The user {first_run.ADMIN} has the address {email} now.")
    exists = first_run.has_admin()
    connections.close_all()
    if not exists:
        return "with your own account"
    if password_is_new and not made:
        return f"user {first_run.ADMIN}, with the password it has had; ADMIN_PASSWORD is not it"
    return f"user {first_run.ADMIN}, password in {env} (ADMIN_PASSWORD)"


def _ask_for_address() -> str:
    """The address that a person at the terminal enters; "" without one or without a terminal."""
    if not sys.stdin or not sys.stdin.isatty():
        return ""
    question = "vigil: Your e-mail address, for alerts (Enter: none): "
    with contextlib.suppress(EOFError):
        while answer := input(question).strip():
            try:
                return str(VARIABLES["ADMIN_EMAIL"].kind.parse(answer))
            except NotAllowedError:
                question = (
                    "vigil: That is not an e-mail address. Your e-mail address (Enter: none): "
                )
    return ""
