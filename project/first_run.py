"""What the first start on a machine leaves behind: `.env` with generated secrets, and the user `admin`."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from project import team_folder
from project.configuration import env_file
from project.configuration.env_file import EnvFileError
from project.configuration.variables import PAGE

ADMIN = "admin"
OWNER_ONLY = 0o600
HEADER = (
    f"# Settings of this Vigil; {PAGE} has the table. What the process environment says goes before this file.\n"
    "# Keep it to yourself: it holds the site's secrets.\n"
)


def read_env(path: Path) -> dict[str, str]:
    """The values in `path`; a file that does not exist is empty.

    Raises EnvFileError, with a line of text for each line of the file that cannot be read.
    """
    file = env_file.read(path)
    if file.broken:
        raise EnvFileError("\n".join(f"{path} line {one.line}: {one.why}" for one in file.broken))
    return {name: entry.value for name, entry in file.entries.items()}


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


def make_admin(password: str) -> bool:
    """Make the user `admin` unless the site has a superuser or such a user; True if made. Changes no password, ever."""
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    if has_admin() or model.objects.filter(is_superuser=True).exists():
        return False
    model.objects.create_superuser(**{model.USERNAME_FIELD: ADMIN, "password": password})
    return True


def give_address(email: str) -> bool:
    """Set the address of the user `admin` where that is empty; True if set. Overwrites none."""
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    without = model.objects.filter(**{model.USERNAME_FIELD: ADMIN, model.EMAIL_FIELD: ""})
    return bool(email and without.update(**{model.EMAIL_FIELD: email}))


def has_admin() -> bool:
    """Whether there is a user `admin`."""
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    return bool(model.objects.filter(**{model.USERNAME_FIELD: ADMIN}).exists())


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
