"""Migrations: both databases, twice at once, by frozen scripts."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from shared.eventsourcing.migrating import migrate

ENVIRONMENT = "from shared.eventsourcing.migrating import run_environment\n\nrun_environment()\n"
KERNEL = '''"""The log."""

from shared.eventsourcing.migrating import run_script
from shared.eventsourcing.schema import kernel_sql, work_sql

revision, down_revision = "0001", None


def upgrade() -> None:
    run_script(kernel_sql(1, app_role="parcels_app"))
    run_script(work_sql(1, app_role="parcels_app"))
'''
BROKEN = '''"""Half a table."""

from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE read.half (id uuid)")
    op.execute("CREATE TABLE read.half (id uuid)")
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENVIRONMENT)
    (tmp_path / "versions" / "0001_event_log.py").write_text(KERNEL)
    return tmp_path


@pytest.fixture
async def databases(fresh_databases):
    return await fresh_databases("parcels")


async def run(folder, databases):
    return await migrate(
        folder, service="parcels", url=databases.owner_url, keys_url=databases.keys_owner_url
    )


async def test_two_migrations_at_once_make_one_schema(folder, databases):
    assert await asyncio.gather(run(folder, databases), run(folder, databases)) == ["0001", "0001"]
    app = await asyncpg.connect(databases.url)
    assert await app.fetchval("SELECT count(*) FROM log.event") == 0
    await app.close()
    app = await asyncpg.connect(databases.keys_url)
    assert await app.fetchval("SELECT count(*) FROM subject_key") == 0
    await app.close()


async def test_a_migration_that_fails_leaves_nothing_half_made(folder, databases):
    (folder / "versions" / "0002_half_a_table.py").write_text(BROKEN)
    with pytest.raises(Exception, match="already exists"):
        await run(folder, databases)
    owner = await asyncpg.connect(databases.owner_url)
    assert await owner.fetchval("SELECT version_num FROM alembic_version") == "0001"
    assert await owner.fetchval("SELECT to_regclass('read.half')") is None
    await owner.close()


async def test_a_newer_schema_than_our_own_is_left_alone(folder, databases):
    await run(folder, databases)
    owner = await asyncpg.connect(databases.owner_url)
    await owner.execute("UPDATE alembic_version SET version_num = '0009'")
    await owner.close()
    assert await run(folder, databases) == "0009"
