"""What a service is made of, and what its routes and timers are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter
from starlette.routing import Route

from shared.eventsourcing.command_handler import CommandHandler
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore, LogDefinition
from shared.eventsourcing.timers import Completeness, TimerPoller
from shared.messaging.message import Subscription
from shared.runtime.clock import Clock
from shared.runtime.database import Database
from shared.runtime.ids import NumberBlocks
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext:
    """The running parts that a service's own code may use; built by `Service`, one per process."""

    settings: ServiceSettings
    clock: Clock
    database: Database
    keys: SubjectKeys
    store: EventStore
    commands: CommandHandler
    numbers: Mapping[str, NumberBlocks]
    progress: Completeness
    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDefinition:
    """A service as its `app.py` states it.

    `numbers` maps a human prefix (REQ) to its sequence's name; `migrations` is the folder that holds
    `versions/NNNN_what_appears.py`.
    """

    name: str
    log: LogDefinition
    permissions: Mapping[type, frozenset[str]]
    routers: Callable[[ServiceContext], Sequence[APIRouter]]
    hot_routes: Callable[[ServiceContext], Sequence[Route]] | None = None
    subscriptions: tuple[Subscription, ...] = ()
    timers: Callable[[ServiceContext], Sequence[TimerPoller]] | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)
    migrations: Path | None = None
