"""Statements over many rows that the ORM cannot say, in one place for every database.

Rows are always sorted by key, so that two writers lock them in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models

Row = Mapping[str, Any]


def add_to(
    model: type[models.Model], rows: Sequence[Row], *, keys: Sequence[str], sums: Sequence[str]
) -> None:
    """Insert `rows`, or add their `sums` to the rows that have the same `keys`."""
    if not rows:
        return
    ordered = sorted(rows, key=lambda row: tuple(str(row[key]) for key in keys))
    columns = [*keys, *sums]
    name, quote = _quoted(model)
    if connection.vendor == "mysql":
        update = ", ".join(f"{quote(c)} = {quote(c)} + VALUES({quote(c)})" for c in sums)
        conflict = f"ON DUPLICATE KEY UPDATE {update}"
    else:
        update = ", ".join(f"{quote(c)} = {name}.{quote(c)} + excluded.{quote(c)}" for c in sums)
        conflict = f"ON CONFLICT ({', '.join(map(quote, keys))}) DO UPDATE SET {update}"
    defaults = {
        field.column: field.get_default()
        for field in model._meta.local_concrete_fields
        if field.column and field.column not in columns and field.has_default()
    }
    values = [[*_prepared(model, row, columns), *defaults.values()] for row in ordered]
    columns += defaults
    sql = (
        f"INSERT INTO {name} ({', '.join(map(quote, columns))}) VALUES {_places(values)} {conflict}"
    )
    _execute(sql, values)


def update_each(
    model: type[models.Model],
    rows: Sequence[Row],
    *,
    match: Sequence[str],
    values: Sequence[str],
    only: Row | None = None,
) -> set[Any]:
    """Give every row that equals one of `rows` in all `match` columns, and `only`, its `values`.

    Returns the first match column of the rows that changed. `match[0]` must tell the rows apart.
    """
    if not rows:
        return set()
    only = only or {}
    ordered = sorted(rows, key=lambda row: row[match[0]])
    if connection.vendor == "mysql":
        return _update_one_by_one(model, ordered, match, values, only)
    name, quote = _quoted(model)
    columns = [*match, *values]
    data = [_prepared(model, row, columns) for row in ordered]
    sql = (
        f"WITH new ({', '.join(map(quote, columns))}) AS (VALUES {_places(data, _casts(model, columns))}) "
        f"UPDATE {name} SET {', '.join(f'{quote(c)} = new.{quote(c)}' for c in values)} FROM new "
        f"WHERE {' AND '.join(f'{name}.{quote(c)} = new.{quote(c)}' for c in match)} "
        f"{''.join(f'AND {name}.{quote(c)} = %s ' for c in only)}"
        f"RETURNING {name}.{quote(match[0])}"
    )
    return {row[0] for row in _execute(sql, [*data, _prepared(model, only, list(only))])}


def _update_one_by_one(
    model: type[models.Model],
    rows: Sequence[Row],
    match: Sequence[str],
    values: Sequence[str],
    only: Row,
) -> set[Any]:
    changed = set()
    for row in rows:
        same = {**only, **{column: row[column] for column in match}}
        if model._default_manager.filter(**same).update(**{c: row[c] for c in values}):
            changed.add(row[match[0]])
    return changed


def _quoted(model: type[models.Model]) -> tuple[str, Any]:
    quote = connection.ops.quote_name
    return quote(model._meta.db_table), quote


def _field(model: type[models.Model], column: str) -> models.Field[Any, Any]:
    return next(f for f in model._meta.local_concrete_fields if f.column == column)


def _prepared(model: type[models.Model], row: Row, columns: Sequence[str]) -> list[Any]:
    return [_field(model, c).get_db_prep_save(row[c], connection) for c in columns]


def _casts(model: type[models.Model], columns: Sequence[str]) -> list[str]:
    """PostgreSQL takes the types of VALUES from its first row, and NULL has none."""
    if connection.vendor != "postgresql":
        return ["%s"] * len(columns)
    types = [_field(model, column).rel_db_type(connection) for column in columns]
    return [f"%s::{kind}" for kind in types]


def _places(values: Sequence[Sequence[Any]], first: Sequence[str] | None = None) -> str:
    plain = f"({', '.join(['%s'] * len(values[0]))})"
    head = f"({', '.join(first)})" if first else plain
    return ", ".join([head, *[plain] * (len(values) - 1)])


def _execute(sql: str, values: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for row in values for value in row])
        return list(cursor.fetchall()) if cursor.description else []
