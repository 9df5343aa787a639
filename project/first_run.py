"""What the first start on a machine leaves behind: `.env` with generated secrets, and the user `admin`."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from project import team_folder

ADMIN = "admin"
OWNER_ONLY = 0o600
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HEADER = (
    "# Settings of this Vigil; README.md has the table. What the process environment says goes before this file.\n"
    "# Keep it to yourself: it holds the site's secrets.\n"
)


class EnvFileError(Exception):
    """`.env` cannot be read; the text is one line that names the place and what to do."""


def read_env(path: Path) -> dict[str, str]:
    """The values in `path`, read as python-decouple reads them, but with an error where that passes over a line.

    A file that does not exist is empty. Raises EnvFileError.
    """
    try:
        lines = _lines(path)
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EnvFileError(
            f"{path} line {line}: not UTF-8 text. Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}.") from error
    pairs = (_pair(path, number, line.strip()) for number, line in enumerate(lines, start=1))
    return dict(pair for pair in pairs if pair)


def complete_env(path: Path, port: int) -> list[str]:
    """Add the keys that `path` lacks, with generated values, and return their names; what is there stays as it is.

    A new file is readable by its owner only. Raises EnvFileError.
    """
    known = read_env(path)
    wanted = dict(_generated(port))
    if "SECRET_KEY" not in known:  # the first start: an older site has its jobs elsewhere
        wanted["JOB_FILE"] = team_folder.JOB_FILE
    missing = {name: value for name, value in wanted.items() if name not in known}
    if missing:
        try:
            _append(path, missing)
        except OSError as error:
            raise EnvFileError(f"{path} cannot be written: {error.strerror}.") from error
    return list(missing)


def line_of_value(path: Path, problem: str) -> str:
    """`.env line 7 (EMAIL_SMTP_PORT)` for the value that `problem` quotes, empty if it quotes none."""
    said = problem.casefold()
    for number, line in enumerate(_lines(path) if path.exists() else (), start=1):
        name, value = _pair(path, number, line.strip()) or ("", "")
        told = value.casefold()
        if value and (repr(told) in said or said.endswith(f": {told}")):
            return f"{path.name} line {number} ({name})"
    return ""


def make_admin(password: str) -> bool:
    """Make the user `admin` unless somebody can already manage the site; True if made. Changes no password, ever."""
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    if has_admin() or model.objects.filter(is_superuser=True).exists():
        return False
    model.objects.create_superuser(**{model.USERNAME_FIELD: ADMIN, "password": password})
    return True


def has_admin() -> bool:
    """Whether there is a user `admin`."""
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    return bool(model.objects.filter(**{model.USERNAME_FIELD: ADMIN}).exists())


def _lines(path: Path) -> list[str]:
    # not splitlines(), which also breaks at characters that a value may hold
    return path.read_bytes().decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _pair(path: Path, number: int, line: str) -> tuple[str, str] | None:
    if not line or line.startswith("#"):
        return None
    name, equals, value = (part.strip() for part in line.partition("="))
    place = f"{path} line {number}"
    if name.startswith("\ufeff"):
        raise EnvFileError(
            f"{place}: begins with a byte order mark. Save the file as UTF-8 without it."
        )
    if not equals or not NAME.fullmatch(name):
        raise EnvFileError(f"{place}: expected NAME=value. Correct the line or begin it with #.")
    quote = value[:1] if value[:1] in ("'", '"') else ""
    if quote and value.count(quote) == 1:
        raise EnvFileError(f"{place}: the value of {name} begins with a quote that is not closed.")
    if "\0" in value:
        raise EnvFileError(f"{place}: the value of {name} holds a NUL byte.")
    return name, value[1:-1] if quote and value.endswith(quote) else value


def _generated(port: int) -> Mapping[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "METRICS_TOKEN": secrets.token_urlsafe(24),
        "ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "SITE_URL": f"http://localhost:{port}",
    }


def _append(path: Path, values: Mapping[str, str]) -> None:
    """One write, so that a kill leaves all of it or nothing."""
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    with os.fdopen(descriptor, "rb+", buffering=0) as file:
        old = file.read()
        begin = HEADER if not old else "" if old.endswith(b"\n") else "\n"
        whole = (begin + text).encode()
        if file.write(whole) != len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
