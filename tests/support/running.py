"""A service as it runs, behind its gate, on real PostgreSQL, for people with tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from shared.eventsourcing.log import Appended, Unit
from shared.eventsourcing.migrating import migrate
from shared.http.context import ServiceContext, ServiceDefinition
from shared.http.issuer import Issuer
from shared.http.service import Service
from shared.runtime.provisioning import ServiceDatabases
from shared.runtime.settings import ServiceSettings
from tests.support.clock import FixedClock


@dataclass(frozen=True)
class RunningService:
    """Everything that a test of one service's API and read models needs."""

    context: ServiceContext
    client: httpx.AsyncClient
    issuer: Issuer
    clock: FixedClock

    def token(self, name: str, *roles: str) -> dict[str, str]:
        """Return the header that makes a request this person's."""
        minted = self.issuer.mint(name, roles or ("administrator",), timedelta(hours=8))
        return {"Authorization": f"Bearer {minted}"}

    async def post(self, path: str, body: Any, *, name: str = "anna", roles: Sequence[str] = ()) -> Any:
        """Send a command; any answer but success fails the test and shows the problem."""
        answered = await self.client.post(path, json=body, headers=self.token(name, *roles))
        assert answered.is_success, answered.text
        return answered.json()

    async def refused(self, path: str, body: Any, *, name: str = "anna", roles: Sequence[str] = ()) -> Any:
        """Send a command that must be refused; return the problem."""
        answered = await self.client.post(path, json=body, headers=self.token(name, *roles))
        assert answered.is_client_error, answered.text
        return answered.json()

    async def get(self, path: str, **query: Any) -> Any:
        """Read; any answer but success fails the test and shows the problem."""
        answered = await self.client.get(path, params=query, headers=self.token("anna"))
        assert answered.is_success, answered.text
        return answered.json()

    async def append(self, units: Sequence[Unit]) -> list[Appended]:
        """Append what a consumer would, in one batch; a refused unit fails the test."""
        async with self.context.database.transaction() as conn:
            outcomes = await self.context.store.append(conn, units)
        refused = [outcome for outcome in outcomes if not isinstance(outcome, Appended)]
        assert not refused, refused
        return [outcome for outcome in outcomes if isinstance(outcome, Appended)]


def migrated(definition: ServiceDefinition) -> Any:
    """Return what `fresh_databases` runs once: the service's own migrations."""

    async def prepare(databases: ServiceDatabases) -> None:
        assert definition.migrations is not None
        await migrate(
            definition.migrations,
            service=definition.name,
            url=databases.owner_url,
            keys_url=databases.keys_owner_url,
        )

    return prepare


@asynccontextmanager
async def running(
    definition: ServiceDefinition, databases: ServiceDatabases, folder: Path, now: datetime
) -> AsyncIterator[RunningService]:
    """Run a service's API in this process, at a moment that the test sets."""
    clock = FixedClock(now)
    issuer = Issuer.open(folder / "key.json", clock=clock)
    settings = ServiceSettings.model_validate(
        {
            "database_url": databases.url,
            "keys_database_url": databases.keys_url,
            "jwks": issuer.jwks(),
            # An API alone follows nobody; the addresses only have to be there.
            "sources": {each.source: "http://nowhere.invalid" for each in definition.subscriptions},
        }
    )
    service = Service(definition, settings, roles=frozenset({"api"}), clock=clock)
    await service.start()
    try:
        assert service.context is not None
        assert service.app is not None
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=service.app), base_url=f"http://test/{definition.name}"
        ) as client:
            yield RunningService(context=service.context, client=client, issuer=issuer, clock=clock)
    finally:
        await service.stop()
