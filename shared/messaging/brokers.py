"""Where the brokers are, how they let us in, and why they do not."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import BrokerResponseError, KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from shared.messaging.failures import cancelled
from shared.runtime.settings import KafkaSettings

START_SECONDS: Final = 30.0
BREAK_OFF_SECONDS: Final = 2.0
KNOCK_MS: Final = 5_000


class NotLetIn(Exception):
    """Brokers are there and refuse us, or our settings cannot do; says which to look at, never a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """The address of the brokers and what they are to be shown."""

    bootstrap_servers: str
    settings: KafkaSettings = field(default_factory=KafkaSettings)

    def options(self) -> dict[str, Any]:
        """Return the arguments that every client of aiokafka takes; raises `NotLetIn` for unfit files."""
        return {"bootstrap_servers": self.bootstrap_servers, "metadata_max_age_ms": 60_000, **self._proof()}

    async def start(self, client: Any) -> None:
        """Start a client of aiokafka; raises `NotLetIn` when the brokers are there and refuse us.

        Broken off, it still lets the start come to an end for a moment: cancelled while it asks a broker,
        aiokafka forgets that connection without closing it.
        """
        starting = asyncio.ensure_future(client.start())
        try:
            await asyncio.wait_for(asyncio.shield(starting), START_SECONDS)
        except (KafkaConnectionError, TimeoutError):
            await self._knock()
            raise
        finally:
            try:
                await asyncio.wait({starting}, timeout=BREAK_OFF_SECONDS)
            finally:
                await cancelled(starting)

    def _proof(self) -> dict[str, Any]:
        """Return how we show who we are, and how brokers show it to us."""
        settings, password = self.settings, self.settings.sasl_password
        found: dict[str, Any] = {"security_protocol": settings.security_protocol}
        if settings.security_protocol.endswith("SSL"):
            for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
                # Looked at beforehand: OpenSSL says that a file is missing, not which.
                path: Path | None = getattr(settings, name)
                if path is not None and not os.access(path, os.R_OK):
                    raise NotLetIn(f"PLUMBLINE_KAFKA__{name.upper()}: {path} is not there or not to be read")
            try:
                found["ssl_context"] = tls = ssl.create_default_context(cafile=settings.ssl_cafile)
                if settings.ssl_certfile is not None:
                    # An empty password, lest somebody is asked for one at a terminal.
                    tls.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password="")
            except OSError as error:
                raise NotLetIn(f"look at the files of PLUMBLINE_KAFKA__SSL_*: {error}") from error
        if settings.security_protocol.startswith("SASL"):
            found |= {
                "sasl_mechanism": settings.sasl_mechanism,
                "sasl_plain_username": settings.sasl_username or "",
                "sasl_plain_password": password.get_secret_value() if password else "",
            }
        return found

    async def _knock(self) -> None:
        """Raise what a broker has against us; aiokafka's clients only log it, and raise that none is there.

        One that merely hangs up may be about to end: that is a `KafkaConnectionError`, as when none is there.
        """
        for host, port, _ in collect_hosts(self.bootstrap_servers):
            try:
                opened = await create_conn(host, port, request_timeout_ms=KNOCK_MS, **self._proof())
                try:
                    await opened.send(MetadataRequest([]))
                finally:
                    opened.close()
            except (KafkaError, OSError) as error:
                why = error.__cause__ or error
                if isinstance(why, ssl.SSLError | BrokerResponseError):
                    kind = "SSL" if isinstance(why, ssl.SSLError) else "SASL"
                    raise NotLetIn(f"{host}:{port}: {why}; look at PLUMBLINE_KAFKA__{kind}_*") from None
                if isinstance(why, asyncio.IncompleteReadError | ConnectionResetError):
                    text = f"{host}:{port} hangs up; is PLUMBLINE_KAFKA__SECURITY_PROTOCOL right?"
                    raise KafkaConnectionError(text) from None
