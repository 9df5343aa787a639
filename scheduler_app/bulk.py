"""Statements over many rows that the ORM cannot say, in one place for every database.

The rows of a statement travel as one JSON text for each column (SQLite: one for all), which the database takes apart
again: building and parsing them costs a fraction of what thousands of parameters do, and half of what objects with
their keys do. A column in which all rows agree travels once. Rows are always sorted by key, so that two writers lock
them in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.lookups import Lookup

Row = Mapping[str, Any]
Model = type[models.Model]
T = TypeVar("T", bound=models.Model)


@models.Field.register_lookup
@models.ForeignKey.register_lookup
class Among(Lookup):
    """`filter(pk__among=values)`: like `__in`, with all values as one parameter, however many there are.

    A set is passed on as it is, where Django goes through the values of a list one by one.
    """

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, parameters = self.process_lhs(compiler, connection)
        condition, values = _among(sql, self.lhs.output_field, self.rhs)
        return condition, (*parameters, values)


def _among(sql: str, field: models.Field[Any, Any], values: Iterable[Any]) -> tuple[str, str]:
    """The condition that `sql` (of the type of `field`) is one of `values`, and its one parameter."""
    values = _keys(field, values)
    if connection.vendor == "postgresql":
        return f"{sql} = ANY(%s::{field.rel_db_type(connection)}[])", _array(values)
    return f"{sql} IN (SELECT value FROM json_each(%s))", json.dumps(list(values))


def _array(values: Iterable[object]) -> str:
    """PostgreSQL's text for an array, which psycopg needs longer for."""
    texts = list(map(str, values))
    if any("\\" in text or '"' in text for text in texts):
        texts = [text.replace("\\", r"\\").replace('"', r"\"") for text in texts]
    return '{"' + '","'.join(texts) + '"}' if texts else "{}"


def by_pk(model: type[T], ids: Iterable[Any]) -> dict[Any, T]:
    """Like `in_bulk`, with all ids as one parameter."""
    rows = model._default_manager.filter(pk__among=list(ids)).order_by()
    return {row.pk: row for row in rows}


def pairs(model: Model, column: str, values: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Primary key and `column` of the rows in which that is one of `values`: for what is asked all the time."""
    table, quote = _names(model)
    condition, among = _among(quote(column), _field(model, column), values)
    key = quote(str(model._meta.pk.column))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {key}, {quote(column)} FROM {table} WHERE {condition}", [among])
        return list(cursor.fetchall())


def count_later(
    model: Model, rows: Sequence[Row], *, match: Sequence[str], than: str, most: int, only: str
) -> list[tuple[Any, ...]]:
    """How many rows of `model` equal each of `rows` in all `match` columns and are later in `than`, up to `most`.

    Returns the `match` columns and the count. `only` is a condition in SQL about the row `had`, for a partial index.
    """
    if not rows:
        return []
    table, quote = _names(model)
    same = " AND ".join(f"had.{quote(c)} = new.{quote(c)}" for c in match)
    later = f"had.{quote(than)} > new.{quote(than)}"
    few = f"SELECT 1 FROM {table} AS had WHERE {same} AND {later} AND {only} LIMIT {most}"
    keys = ", ".join(f"new.{quote(c)}" for c in match)
    sql = f"SELECT {keys}, (SELECT count(*) FROM ({few}) AS few) FROM {SOURCE}"
    return _execute(sql, model, (*match, than), rows)


def insert(model: Model, rows: Sequence[Row], *, keys: Sequence[str] = (), adopt: str = "") -> None:
    """Insert `rows`, which have the same columns; columns that they lack get their field's default.

    Rows that a unique constraint refuses are passed over: they exist. One that has the same `keys` and no value in the
    column `adopt` gets that of the new row.
    """
    if not rows:
        return
    columns = tuple(rows[0])
    what = "ON CONFLICT DO NOTHING"
    if adopt:
        table, quote = _names(model)
        conflict, column = ", ".join(map(quote, keys)), quote(adopt)
        what = f"ON CONFLICT ({conflict}) DO UPDATE SET {column} = excluded.{column} WHERE {table}.{column} IS NULL"
    _execute(f"{_insert(connection.vendor, model, columns)} {what}", model, columns, rows)


def add_to(model: Model, rows: Sequence[Row], *, keys: Sequence[str], sums: Sequence[str]) -> None:
    """Insert `rows`, or add their `sums` to the rows that have the same `keys`."""
    if not rows:
        return
    table, quote = _names(model)
    changes = ", ".join(f"{quote(c)} = {table}.{quote(c)} + excluded.{quote(c)}" for c in sums)
    _upsert(model, rows, keys, changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Two columns that describe an unbroken sequence: where it began, and how long it is.

    A row whose column `broken_by` is not NULL begins a sequence of its own; another one continues the stored one.
    """

    since: str
    count: str
    broken_by: str


def put(
    model: Model,
    rows: Sequence[Row],
    *,
    key: str,
    values: Sequence[str],
    kept: Sequence[str] = (),
    streak: Streak | None = None,
) -> None:
    """Insert `rows`, or give the row of the same `key` their `values`, and those of `kept` that are not NULL."""
    if not rows:
        return
    table, quote = _names(model)
    changes = [f"{quote(c)} = excluded.{quote(c)}" for c in values]
    changes += [f"{quote(c)} = COALESCE(excluded.{quote(c)}, {table}.{quote(c)})" for c in kept]
    if streak:
        since, count = quote(streak.since), quote(streak.count)
        begins = f"excluded.{quote(streak.broken_by)} IS NOT NULL"
        longer = {
            since: f"COALESCE({table}.{since}, excluded.{since})",
            count: f"{table}.{count} + excluded.{count}",
        }
        changes += [
            f"{column} = CASE WHEN {begins} THEN excluded.{column} ELSE {continued} END"
            for column, continued in longer.items()
        ]
    _upsert(model, rows, [key], ", ".join(changes))


def update_each(
    model: Model,
    rows: Sequence[Row],
    *,
    match: Sequence[str],
    values: Sequence[str],
    only: Mapping[str, str] | None = None,
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]]:
    """Give every row that equals one of `rows` in all `match` columns, and `only`, its `values`.

    Returns the `returning` columns (by default `match[0]`) of the rows that changed. `match[0]` must tell the rows
    apart.
    """
    if not rows:
        return []
    table, quote = _names(model)
    ordered = sorted(rows, key=lambda row: row[match[0]])
    sets = ", ".join(f"{quote(c)} = new.{quote(c)}" for c in values)
    same = " AND ".join(f"{table}.{quote(c)} = new.{quote(c)}" for c in match)
    given = "".join(f" AND {table}.{quote(c)} = %s" for c in only or {})
    wanted = [_field(model, column) for column in returning or match[:1]]
    back = ", ".join(f"{table}.{quote(field.column)}" for field in wanted)
    columns = (*match, *values)
    sql = f"UPDATE {table} SET {sets} FROM {SOURCE} WHERE {same}{given} RETURNING {back}"
    found = _execute(sql, model, columns, ordered, *(only or {}).values())
    if connection.vendor == "postgresql":
        return found
    return [tuple(map(_python, row, wanted)) for row in found]


def _upsert(model: Model, rows: Sequence[Row], keys: Sequence[str], changes: str) -> None:
    ordered = sorted(rows, key=itemgetter(*keys))
    columns = tuple(rows[0])
    conflict = ", ".join(map(connection.ops.quote_name, keys))
    sql = f"{_insert(connection.vendor, model, columns)} ON CONFLICT ({conflict}) DO UPDATE SET {changes}"
    _execute(sql, model, columns, ordered)


@lru_cache(maxsize=64)
def _insert(_vendor: str, model: Model, columns: tuple[str, ...]) -> str:
    table, quote = _names(model)
    defaults = {
        field.column: _literal(field.get_default())
        for field in model._meta.local_concrete_fields
        if field.column not in columns and not field.primary_key
    }
    names = ", ".join(map(quote, [*columns, *defaults]))
    selected = ", ".join([*(f"new.{quote(c)}" for c in columns), *defaults.values()])
    return f"INSERT INTO {table} ({names}) SELECT {selected} FROM {SOURCE} WHERE true"


SOURCE = "/* the rows */"
"""Stands in a statement for the table `new` of its rows."""


def _source(model: Model, varying: Sequence[str], same: Sequence[str]) -> str:
    """A parameter for each of `same`, then the JSON of the `varying` columns, as a table `new`."""
    quote = connection.ops.quote_name
    if connection.vendor == "postgresql":
        parts = [f"%s::{_type(model, c)} AS {quote(c)}" for c in same]
        parts += [f"{_given(model, c)} AS {quote(c)}" for c in varying]
        lists = ", ".join("json_array_elements_text(%s::json)" for _ in varying)
        names = ", ".join(map(quote, varying))
        return f"(SELECT {', '.join(parts)} FROM ROWS FROM ({lists}) AS given({names})) AS new"
    parts = [f"%s AS {quote(c)}" for c in same]
    parts += [f"json_extract(value, '$[{n}]') AS {quote(c)}" for n, c in enumerate(varying)]
    # LIMIT keeps SQLite from taking the JSON apart again for each row of the other side
    return f"(SELECT {', '.join(parts)} FROM json_each(%s) LIMIT -1) AS new"


def _given(model: Model, column: str) -> str:
    """A value of PostgreSQL's table `given`, which comes as text."""
    return f"given.{connection.ops.quote_name(column)}::{_type(model, column)}"


def _execute(
    sql: str, model: Model, columns: Sequence[str], rows: Sequence[Row], *more: Any
) -> list[tuple[Any, ...]]:
    values = {c: _keys(_field(model, c), [row[c] for row in rows]) for c in columns}
    same = [c for c in columns[1:] if _is_same(values[c])]
    varying = [c for c in columns if c not in same]
    once = [_parameter(values[c][0]) for c in same]
    whole = sql.replace(SOURCE, _source(model, varying, same))
    with connection.cursor() as cursor:
        cursor.execute(whole, [*once, *_texts([values[c] for c in varying]), *more])
        return list(cursor.fetchall()) if cursor.description else []


def _keys(field: models.Field[Any, Any], values: Iterable[Any]) -> Any:
    """`values` of `field` as they travel in JSON: those of a key that may be of any type as its field stores them."""
    if not _is_foreign_key(field):
        return values
    return [None if value is None else _stored(field, value) for value in values]


@lru_cache(maxsize=256)
def _is_foreign_key(field: models.Field[Any, Any]) -> bool:
    """Whether `field` holds a key that is no plain number or text, as that of a site's own user model may be."""
    key: Any = field
    while key.remote_field:
        key = key.target_field
    is_key = key.primary_key or key is not field
    is_plain = isinstance(key, PLAIN_KEYS) and type(key).__module__.startswith("django.db.models.")
    return is_key and not is_plain


PLAIN_KEYS = (models.IntegerField, models.AutoField, models.CharField, models.TextField)


def _stored(field: models.Field[Any, Any], value: Any) -> Any:
    stored = field.get_db_prep_value(value, connection, prepared=False)
    if isinstance(stored, bytes | memoryview):
        return rf"\x{bytes(stored).hex()}"  # PostgreSQL's text of bytes
    return stored if isinstance(stored, int | str) else str(stored)


def _is_same(values: list[Any]) -> bool:
    return values.count(values[0]) == len(values)


def _texts(columns: Sequence[list[Any]]) -> list[str]:
    """The JSON of these columns as `_source` wants it."""
    if connection.vendor == "postgresql":
        return [json.dumps(values, default=_iso) for values in columns]
    return [json.dumps(list(zip(*columns, strict=True)), default=_sqlite_text)]


def _parameter(value: Any) -> Any:
    if isinstance(value, datetime):
        return text_of(value)
    return json.dumps(value) if isinstance(value, dict | list) else value


def text_of(moment: datetime) -> str:
    """What a row may have in place of a moment that many rows have."""
    return _iso(moment) if connection.vendor == "postgresql" else _sqlite_text(moment)


_iso = datetime.isoformat


def _sqlite_text(value: datetime) -> str:
    return str(value.astimezone(UTC).replace(tzinfo=None))


def _python(value: Any, field: models.Field[Any, Any]) -> Any:
    """A value as the database gave it, with the time zone that SQLite does not keep."""
    if not isinstance(field, models.DateTimeField) or value is None:
        return value
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _literal(value: object) -> str:
    """A default of one of our own models in SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else f"'{value}'"


def _names(model: Model) -> tuple[str, Any]:
    quote = connection.ops.quote_name
    return quote(model._meta.db_table), quote


@lru_cache(maxsize=256)
def _field(model: Model, column: str) -> models.Field[Any, Any]:
    return next(f for f in model._meta.local_concrete_fields if f.column == column)


@lru_cache(maxsize=256)
def _type(model: Model, column: str) -> str:
    """PostgreSQL's name of a column's type; a length is left to the column, so that nothing is cut in silence."""
    return str(_field(model, column).rel_db_type(connection)).partition("(")[0]
