"""One process of a release of the parcels service: appends without pause until ended."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from uuid import uuid4

from shared.eventsourcing.catch_up import CatchUp
from shared.eventsourcing.group_commit import GroupCommit
from shared.runtime.ids import uuid7
from shared.runtime.provisioning import ServiceDatabases
from tests.support import parcels

WRITERS = 4


async def main(databases: ServiceDatabases, version: int) -> None:
    """Run the release that knows the parcel list in this version; it also catches up what others left."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    async with parcels.opened(databases, parcels.parcel_list(version)) as opened:
        commit, catch_up = (
            GroupCommit(opened.database, opened.store),
            CatchUp(opened.database, opened.store, chunk=50),
        )
        commit.start()
        catch_up.start()

        async def write() -> None:
            while not ending.is_set():
                parcel = uuid7()
                await commit.submit(parcels.a_parcel(f"from release {version}", to=parcel, key=str(uuid4())))
                await commit.submit(
                    parcels.unit(parcels.WeighParcel(grams=version), parcels.DeliverParcel(), to=parcel)
                )

        await asyncio.gather(*(write() for _ in range(WRITERS)))
        await commit.stop()
        await catch_up.stop()


if __name__ == "__main__":
    asyncio.run(main(ServiceDatabases(**json.loads(sys.argv[1])), int(sys.argv[2])))
