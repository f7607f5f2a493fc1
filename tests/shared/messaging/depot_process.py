"""One process of a worker, to be killed at a failpoint by test_crashes."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from uuid import UUID

from shared.messaging.brokers import KafkaAccess
from shared.messaging.feed_listener import FeedListener
from shared.messaging.kafka_listener import KafkaListener
from shared.messaging.measures import Measures
from shared.messaging.relay import Relay
from shared.runtime.metrics import Metrics
from shared.runtime.provisioning import ServiceDatabases
from shared.runtime.settings import KafkaSettings
from tests.shared.messaging.depot import World, a_world, running, until


async def main(order: dict[str, Any]) -> None:
    source, depot = (ServiceDatabases(**order[name]) for name in ("source", "depot"))
    async with a_world(order["topic"], source, depot) as world:
        world.depot.poison |= {UUID(text) for text in order["poison"]}
        if order["role"] == "unpark":
            await world.depot.consumer.unpark("parcels", world.topic, order["key"].encode())
            return
        async with running(_loop(world, order)):
            await until(world.heard, "not heard")


def _loop(world: World, order: dict[str, Any]) -> Any:
    access = KafkaAccess(bootstrap_servers=order["kafka"], settings=KafkaSettings(replication_factor=1))
    match order["role"]:
        case "relay":
            measures = Measures(Metrics("parcels"))
            return Relay(world.source.database, world.source.store, access, measures, send_at_once=7).run
        case "kafka":
            return KafkaListener(world.depot.consumer, access, group=world.topic).run
        case _:
            return FeedListener(world.depot.consumer, "parcels", wait=0.2, ttl=1).run


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
