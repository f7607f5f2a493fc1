"""What a service does on the command line besides serving."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from services.catalog import app
from shared.http.entry import main, migrate_service, wait_for_head
from shared.http.migrations import NotMigrated
from shared.runtime.settings import ServiceSettings
from tests.support.real import FreshDatabases


async def test_an_init_container_waits_for_the_migrations_and_ends_once_they_are_done(
    fresh_databases: FreshDatabases,
) -> None:
    databases = await fresh_databases("catalog")
    settings = ServiceSettings(
        database_url=SecretStr(databases.url),
        keys_database_url=SecretStr(databases.keys_url),
        migration_database_url=SecretStr(databases.owner_url),
        keys_migration_database_url=SecretStr(databases.keys_owner_url),
        database_wait_seconds=0.1,
    )
    with pytest.raises(NotMigrated, match=r"python -m services\.catalog migrate"):
        await wait_for_head(app.definition(), settings)
    await migrate_service(app.definition(), settings)
    await wait_for_head(app.definition(), settings)


def test_an_unknown_word_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(app.definition(), ServiceSettings, ["serve"])  # type: ignore[arg-type]
    assert "api | worker | migrate | wait" in capsys.readouterr().err
