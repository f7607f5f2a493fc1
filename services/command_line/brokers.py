"""The brokers as a command reaches them: by what the environment says, as a service does."""

from __future__ import annotations

import typer
from pydantic import SecretStr

from shared.messaging.brokers import KafkaAccess
from shared.runtime.settings import ServiceSettings

_NO_DATABASE = SecretStr("postgresql:///")  # Kafka alone is asked


def brokers(servers: str | None = None) -> KafkaAccess:
    """Return the way to these brokers, else to the environment's, with the environment's account."""
    settings = ServiceSettings(database_url=_NO_DATABASE, keys_database_url=_NO_DATABASE)
    named = servers or settings.kafka_bootstrap_servers
    if not named:
        raise typer.BadParameter("set KAFKA_BOOTSTRAP_SERVERS")
    return KafkaAccess(bootstrap_servers=named, settings=settings.kafka)
