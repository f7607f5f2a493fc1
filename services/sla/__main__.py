"""Runs sla: `python -m services.sla api | worker | migrate`."""

from __future__ import annotations

import asyncio
import sys

from services.sla.app import SLA
from shared.eventsourcing.migrating import migrate
from shared.http.serve import run
from shared.runtime.settings import ServiceSettings

ROLES = ("api", "worker", "migrate")


def main(arguments: list[str]) -> None:
    """Take one role and play it until told to end."""
    if len(arguments) != 1 or arguments[0] not in ROLES:
        raise SystemExit(f"usage: python -m services.sla {' | '.join(ROLES)}")
    (role,) = arguments
    settings = ServiceSettings()
    if role == "migrate":
        asyncio.run(_migrate(settings))
    else:
        run(SLA, settings, role)


async def _migrate(settings: ServiceSettings) -> None:
    assert SLA.migrations is not None  # noqa: S101  the composition root names the folder
    await migrate(
        SLA.migrations,
        service=SLA.name,
        url=(settings.migration_database_url or settings.database_url).get_secret_value(),
        keys_url=(settings.keys_migration_database_url or settings.keys_database_url).get_secret_value(),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
