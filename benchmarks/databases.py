"""Databases that live as long as a measurement, on PostgreSQL or as files of SQLite."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.environment import ROOT, clean

Vendor = Literal["postgresql", "sqlite"]

BACKENDS = "vigil-benchmark"
"""What the connections of our processes call themselves, so that their backends are found."""
MIGRATE_TIMEOUT_S = 120


class Databases:
    """Makes empty databases, and copies of one that has Vigil's tables. `close()` drops what is left."""

    def __init__(self, server_url: str, folder: Path) -> None:
        self.server_url, self._folder = server_url, folder
        self._stack = contextlib.ExitStack()
        self._migrated: dict[Vendor, str] = {}

    def close(self) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def empty(self, vendor: Vendor) -> Iterator[str]:
        """The URL of a database without tables."""
        with self._made(vendor, template="") as url:
            yield url

    @contextlib.contextmanager
    def migrated(self, vendor: Vendor) -> Iterator[str]:
        """The URL of a database with Vigil's tables and no rows of ours."""
        with self._made(vendor, template=self._template(vendor)) as url:
            yield url

    def version(self) -> str:
        with psycopg.connect(self.server_url) as server:
            return f"PostgreSQL {server.info.parameter_status('server_version')}"

    def settle(self, vendor: Vendor) -> None:
        """Leave nothing of what was prepared for the measurement to pay: PostgreSQL writes a checkpoint."""
        if vendor == "postgresql":
            with (
                psycopg.connect(self.server_url, autocommit=True) as server,
                contextlib.suppress(psycopg.errors.InsufficientPrivilege),
            ):
                server.execute("CHECKPOINT")

    def _template(self, vendor: Vendor) -> str:
        if vendor not in self._migrated:
            url = self._stack.enter_context(self._made(vendor, template=""))
            command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity=0"]
            subprocess.run(
                command,
                cwd=ROOT,
                env=clean(DATABASE_URL=url),
                check=True,
                timeout=MIGRATE_TIMEOUT_S,
            )
            self._migrated[vendor] = _name(url)
        return self._migrated[vendor]

    @contextlib.contextmanager
    def _made(self, vendor: Vendor, *, template: str) -> Iterator[str]:
        name = f"vigil_bench_{uuid.uuid4().hex[:12]}"
        if vendor == "sqlite":
            path = self._folder / f"{name}.sqlite3"
            if template:
                shutil.copyfile(template, path)
            yield f"sqlite:///{path}"
            for file in self._folder.glob(f"{name}.sqlite3*"):
                file.unlink()
            return
        self._on_server("CREATE DATABASE {} TEMPLATE {}", name, template or "template0")
        try:
            yield _url(self.server_url, name)
        finally:
            self._on_server("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _on_server(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.server_url, autocommit=True) as server:
            server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def called(url: str, name: str) -> str:
    """`url` with the name under which PostgreSQL shows its connections; SQLite has none."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return url
    query = "&".join(filter(None, (parts.query, f"application_name={name}")))
    return urlunsplit(parts._replace(query=query))


def _url(server_url: str, name: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def _name(url: str) -> str:
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else urlsplit(url).path[1:]
