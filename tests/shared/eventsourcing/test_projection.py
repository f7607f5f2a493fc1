"""Read models: however events are batched, the table comes out the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateTable

from shared.eventsourcing.projection import Changes, Kind, MissingRow, ReadModel, Sweep
from shared.eventsourcing.schema import kernel_sql
from shared.eventsourcing.writing import copy, shape_of, write

METADATA = sa.MetaData(schema="read")
SHELF = sa.Table(
    "shelf_v1",
    METADATA,
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("label", sa.Text),
    sa.Column("grams", sa.Integer),
    sa.Column("fragile", sa.Boolean, nullable=False, default=False),
)
COUNTS = sa.Table(
    "counts_v1",
    METADATA,
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("opened", sa.Integer, nullable=False, default=0),
    sa.Column("weight", sa.Numeric, nullable=False, default=0),
)
EVERYTHING = sa.Table(
    "everything_v1",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("a_text", sa.Text),
    sa.Column("an_integer", sa.Integer),
    sa.Column("a_big_one", sa.BigInteger),
    sa.Column("a_boolean", sa.Boolean),
    sa.Column("an_instant", sa.DateTime(timezone=True)),
    sa.Column("a_date", sa.Date),
    sa.Column("a_number", sa.Numeric),
    sa.Column("a_document", JSONB),
    sa.Column("some_bytes", sa.LargeBinary),
    sa.Column("in_capitals", sa.Text, sa.Computed("upper(a_text)", persisted=True)),
)
KEYS_ONLY = sa.Table("keys_only_v1", METADATA, sa.Column("id", sa.Integer, primary_key=True))


def model_of(table: sa.Table) -> ReadModel:
    name = table.name.removesuffix("_v1")
    return ReadModel(name=name, version=1, table=table, follows=(), fold=lambda events, changes: None)


@pytest.fixture(scope="module")
async def conn(fresh_databases):
    databases = await fresh_databases("parcels")
    conn = await asyncpg.connect(databases.owner_url)
    await conn.execute(kernel_sql(1, app_role="parcels_app"))
    for table in METADATA.sorted_tables:
        await conn.execute(str(CreateTable(table).compile(dialect=postgresql.dialect())))
    await conn.execute(kernel_sql(2, app_role="parcels_app"))
    yield conn
    await conn.close()


@pytest.fixture(autouse=True)
async def _empty_tables(request):
    if "conn" in request.fixturenames:
        await empty(request.getfixturevalue("conn"))


async def empty(conn: asyncpg.Connection) -> None:
    for table in METADATA.sorted_tables:
        await conn.execute(f"TRUNCATE {table.fullname}")


async def rows(conn: asyncpg.Connection, table: sa.Table) -> list[tuple]:
    keys = ", ".join(column.name for column in table.primary_key.columns)
    return [tuple(row) for row in await conn.fetch(f"SELECT * FROM {table.fullname} ORDER BY {keys}")]


# one change = (name of the method, key or where, columns)
Change = tuple[str, Any, dict[str, Any]]
Table = dict[Any, dict[str, Any]]
BLANK = {"label": None, "grams": None, "fragile": False}

LABELS = st.sampled_from(["tea", "salt", None])
COLUMNS = st.fixed_dictionaries({}, optional={"label": LABELS, "grams": st.integers(0, 9)})


@st.composite
def shelf_changes(draw: st.DrawFn) -> list[Change]:
    """Draw changes as a fold makes them: only rows that are there are set."""
    there: set[int] = set()
    changes: list[Change] = []
    for _ in range(draw(st.integers(0, 25))):
        key = draw(st.integers(1, 3))
        kinds = ["put", "delete", "set_every"] + (["set", "set"] if key in there else [])
        kind = draw(st.sampled_from(kinds))
        columns = {} if kind == "delete" else draw(COLUMNS)
        if kind == "set_every":
            changes.append((kind, {"label": draw(LABELS.filter(bool))}, {"label": None, **columns}))
            continue
        there = there - {key} if kind == "delete" else there | {key}
        changes.append((kind, key, columns))
    return changes


@st.composite
def count_changes(draw: st.DrawFn) -> list[Change]:
    keys = st.tuples(st.sampled_from("ab"), st.just(date(2026, 3, 2)))
    deltas = st.fixed_dictionaries(
        {}, optional={"opened": st.integers(-3, 3), "weight": st.decimals("-2", "2", places=2)}
    )
    there: set[Any] = set()
    changes: list[Change] = []
    for _ in range(draw(st.integers(0, 20))):
        key = draw(keys)
        kind = draw(st.sampled_from(["add", "add", "put", "delete"] + (["set"] if key in there else [])))
        there = there - {key} if kind == "delete" else there | {key}
        changes.append((kind, key, {} if kind == "delete" else draw(deltas)))
    return changes


def gathered(changes: Sequence[Change]) -> Changes:
    batch = Changes()
    for kind, key, columns in changes:
        getattr(batch, kind)(key, **columns)
    return batch


def cut(changes: Sequence[Change], places: set[int]) -> list[Changes]:
    bounds = [0, *sorted(place for place in places if place < len(changes)), len(changes)]
    return [gathered(changes[a:b]) for a, b in pairwise(bounds)]


def written(table: Table, changes: Changes, blank: dict[str, Any]) -> None:
    """Do to a dict what `write` does to a table."""
    for step in changes.steps:
        if isinstance(step, Sweep):
            for row in table.values():
                if all(row[name] == value for name, value in step.where.items()):
                    row.update(step.columns)
            continue
        for key, (kind, columns) in step.items():
            match kind:
                case Kind.PUT:
                    table[key] = blank | columns
                case Kind.SET:
                    table[key].update(columns)
                case Kind.ADD:
                    row = table.setdefault(key, dict.fromkeys(blank, 0))
                    row.update({name: row[name] + delta for name, delta in columns.items()})
                case Kind.DELETE:
                    table.pop(key, None)


def by_hand(changes: Sequence[Change], blank: dict[str, Any]) -> Table:
    table: Table = {}
    for change in changes:
        written(table, gathered([change]), blank)
    return table


PLACES = st.sets(st.integers(1, 25))


@given(shelf_changes(), PLACES)
def test_any_batching_of_changes_gives_the_same_rows(changes, places):
    table: Table = {}
    for batch in cut(changes, places):
        written(table, batch, BLANK)
    assert table == by_hand(changes, BLANK)


@given(count_changes(), PLACES)
def test_any_batching_of_counts_gives_the_same_numbers(changes, places):
    blank = {"opened": 0, "weight": 0}
    table: Table = {}
    for batch in cut(changes, places):
        written(table, batch, blank)
    assert table == by_hand(changes, blank)


async def test_postgresql_does_what_the_twin_does_for_rows(conn):
    examples = _examples(st.tuples(shelf_changes(), PLACES), 60)
    for changes, places in examples:
        await empty(conn)
        for batch in cut(changes, places):
            await write(conn, model_of(SHELF), batch)
        expected = by_hand(changes, BLANK)
        assert await rows(conn, SHELF) == [(key, *expected[key].values()) for key in sorted(expected)]


async def test_postgresql_does_what_the_twin_does_for_counts(conn):
    for changes, places in _examples(st.tuples(count_changes(), PLACES), 60):
        await empty(conn)
        for batch in cut(changes, places):
            await write(conn, model_of(COUNTS), batch)
        expected = by_hand(changes, {"opened": 0, "weight": 0})
        assert await rows(conn, COUNTS) == [(*key, *expected[key].values()) for key in sorted(expected)]


def _examples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    found: list[Any] = []

    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def draw(example: Any) -> None:
        found.append(example)

    draw()
    return found


async def test_every_type_a_read_model_may_hold_comes_back_as_it_was_written(conn):
    first, second = UUID(int=1), UUID(int=2)
    changes = Changes()
    changes.put(
        first,
        a_text="tea ☕",
        an_integer=-1,
        a_big_one=2**40,
        a_boolean=True,
        an_instant=datetime(2026, 3, 2, 12, tzinfo=UTC),
        a_date=date(2026, 3, 2),
        a_number=Decimal("1.20"),
        a_document={"lines": [1, None, "é"]},
        some_bytes=b"\x00\xff",
    )
    changes.put(second, a_document='["text is taken as JSON"]')
    await write(conn, model_of(EVERYTHING), changes)
    one, two = await conn.fetch("SELECT * FROM read.everything_v1 ORDER BY id")
    assert tuple(one)[:5] == (first, "tea ☕", -1, 2**40, True)
    assert tuple(one)[5:7] == (datetime(2026, 3, 2, 12, tzinfo=UTC), date(2026, 3, 2))
    assert str(one["a_number"]) == "1.20"
    assert (one["a_document"], one["some_bytes"]) == ('{"lines": [1, null, "é"]}', b"\x00\xff")
    assert one["in_capitals"] == "TEA ☕"
    assert (two["a_document"], two["a_text"]) == ('["text is taken as JSON"]', None)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.text(
    'a"\\\\n\n\r\t,.[]'
)
A_ROW = {
    "a_text": TEXTS,
    "an_integer": st.integers(-(2**31), 2**31 - 1),
    "a_big_one": st.integers(-(2**63), 2**63 - 1),
    "a_boolean": st.booleans(),
    "an_instant": st.datetimes(timezones=st.just(UTC)),
    "a_date": st.dates(),
    "a_number": st.decimals(allow_nan=False, allow_infinity=False),
    "a_document": st.lists(TEXTS | st.integers()) | st.dictionaries(TEXTS, TEXTS),
}


async def test_rows_are_copied_as_they_are_written(conn):
    some = st.lists(st.fixed_dictionaries({}, optional=A_ROW), min_size=1, max_size=20)
    for columns in _examples(some, 150):
        puts = gathered([("put", UUID(int=n), row) for n, row in enumerate(columns)])
        await write(conn, model_of(EVERYTHING), puts)
        expected = await rows(conn, EVERYTHING)
        await empty(conn)
        records = [(key, row) for key, (_, row) in puts.steps[0].items()]
        await copy(conn, EVERYTHING, shape_of(EVERYTHING).rows_of(records, Kind.PUT))
        assert await rows(conn, EVERYTHING) == expected
        await empty(conn)


async def test_setting_a_row_that_is_not_there_is_an_error_in_any_batching(conn):
    with pytest.raises(MissingRow, match="deleted"):
        gathered([("delete", 1, {}), ("set", 1, {"label": "tea"})])
    with pytest.raises(MissingRow, match="shelf"):
        await write(conn, model_of(SHELF), gathered([("set", 1, {"label": "tea"})]))


async def test_nothing_is_added_to_a_table_that_holds_more_than_counters(conn):
    with pytest.raises(TypeError, match="more than counters"):
        await write(conn, model_of(SHELF), gathered([("add", 1, {"grams": 1})]))


async def test_an_unknown_column_is_named(conn):
    with pytest.raises(KeyError, match="colour"):
        await write(conn, model_of(SHELF), gathered([("put", 1, {"colour": "red"})]))
    with pytest.raises(KeyError, match="colour"):
        await write(conn, model_of(SHELF), gathered([("set", 1, {"colour": "red"})]))


async def test_a_table_of_keys_alone_takes_a_repeated_row(conn):
    for _ in range(2):
        await write(conn, model_of(KEYS_ONLY), gathered([("put", 1, {}), ("put", 2, {})]))
    assert await rows(conn, KEYS_ONLY) == [(1,), (2,)]


def test_a_read_model_is_kept_in_the_table_that_its_name_and_version_say():
    with pytest.raises(ValueError, match="shelf_v2"):
        ReadModel(name="shelf", version=2, table=SHELF, follows=(), fold=lambda events, changes: None)


def test_a_float_has_no_place_in_a_read_model():
    table = sa.Table("loose_v1", sa.MetaData(schema="read"), sa.Column("x", sa.Float, primary_key=True))
    with pytest.raises(TypeError, match="not a type that read models hold"):
        shape_of(table)
