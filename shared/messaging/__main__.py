"""Declares every topic of the contracts at the broker: `python -m shared.messaging`."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from shared.contracts.registry import TOPICS
from shared.messaging.brokers import KafkaAccess, NotLetIn
from shared.messaging.topics import Declared, declare
from shared.runtime import logging
from shared.runtime.settings import ServiceSettings

_LOG = structlog.get_logger("topics")
_PATIENCE_SECONDS = 300.0
_RETRY_SECONDS = 2.0
_NO_DATABASE = SecretStr("postgresql:///")


async def declare_when_there(access: KafkaAccess) -> list[Declared]:
    """Declare what is missing, waiting up to five minutes for a broker that is not up yet.

    Raises `NotLetIn` at once: a broker that refuses us goes on doing so.
    """
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        try:
            return await declare(access, {topic.name: topic.partitions for topic in TOPICS.values()})
        except (KafkaError, OSError, TimeoutError) as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise
            _LOG.warning("waiting for Kafka", servers=access.bootstrap_servers, error=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)


def main() -> None:
    """Declare and say what stands; ends with status 1 when a topic has another partition count."""
    # Topics are Kafka's alone: no database is asked for, though every service needs one.
    settings = ServiceSettings(database_url=_NO_DATABASE, keys_database_url=_NO_DATABASE)
    logging.configure(service="topics", level=settings.log_level, style=settings.log_format)
    servers = settings.kafka_bootstrap_servers
    if not servers:
        raise SystemExit("KAFKA_BOOTSTRAP_SERVERS is not set")
    try:
        access = KafkaAccess(bootstrap_servers=servers, settings=settings.kafka)
        found = asyncio.run(declare_when_there(access))
    except NotLetIn as refused:
        raise SystemExit(f"Kafka does not let us in: {refused}") from None
    for each in found:
        _LOG.info("topic", name=each.name, partitions=each.partitions, found=each.found)
    if any(each.differs for each in found):
        raise SystemExit("a topic has another partition count than declared; keys would move")


if __name__ == "__main__":
    main()
