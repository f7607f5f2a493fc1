"""Runs services in this process: their ports, the management port, an orderly end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.context import ServiceDefinition
from shared.http.corked import CorkedProtocol
from shared.http.gate import Traffic
from shared.http.management import Check, create_management
from shared.http.problems import Problem
from shared.http.service import API, Service
from shared.runtime import logging
from shared.runtime.ids import uuid7
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings

_LOG = structlog.get_logger(__name__)
DRAIN_SECONDS = 5.0
_FINISH_SECONDS = 8
_YOUNG_OBJECTS = 50_000  # made and not freed before the collector looks: a thousand requests under way
_BUDGET_SECONDS = 25.0


class Prefixes:
    """Gives each service the requests under its name, untouched; `root` answers all others."""

    def __init__(self, apps: dict[str, ASGIApp], root: ASGIApp | None = None) -> None:
        self._apps = apps
        self._root = root or _nothing_here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = scope.get("path", "/").split("/", 2)[1]
        await self._apps.get(first, self._root)(scope, receive, send)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem("not-found", "There is no service of this name.")
    await problem.answer(root="", path=scope["path"], trace_id=str(uuid7()))(scope, receive, send)


class _Server(uvicorn.Server):
    """A server that leaves signals to the process, which drains before it closes."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PortTaken(Exception):
    """Another program listens on the port, or this one may not."""


class Host:
    """Services that share a process, their ports and their end."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: ServiceSettings,
        *,
        root: ASGIApp | None = None,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._services = services
        self._settings = settings
        self._root = root
        self._drain_seconds = drain_seconds
        self._ending = asyncio.Event()
        self._servers: list[tuple[_Server, asyncio.Task[None]]] = []
        self.port = self.management_port = 0

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve until `end` is called or SIGTERM or SIGINT comes; a second signal exits at once."""
        self._listen_to_signals()
        self.management_port = await self._open(
            create_management(self._checks, self._services[0].metrics), self._settings.management_port
        )
        starting = asyncio.create_task(self._start(), name="start")
        ending = asyncio.create_task(self._ending.wait(), name="end")
        try:
            await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                started()
                await ending
        finally:
            starting.cancel()
            ending.cancel()
            await asyncio.gather(starting, ending, return_exceptions=True)
            await self._stop()

    def end(self) -> None:
        """Begin the end; the second call, like the second signal, does not wait for anything."""
        if self._ending.is_set():
            _LOG.warning("ended at once")
            os._exit(1)
        _LOG.info("ending")
        self._ending.set()

    async def _start(self) -> None:
        for service in self._services:
            await service.start()
        set_aside()
        apps: dict[str, ASGIApp] = {s.name: s.app for s in self._services if s.app is not None}
        if apps or self._root is not None:
            self.port = await self._open(Prefixes(apps, self._root), self._settings.port)
            _LOG.info("listening", host=self._settings.host, port=self.port)

    async def _stop(self) -> None:
        for service in self._services:
            service.traffic.draining = True
        if self.port:
            await asyncio.sleep(self._drain_seconds)
        try:
            async with asyncio.timeout(_BUDGET_SECONDS - self._drain_seconds):
                for server, task in reversed(self._servers[1:]):
                    server.should_exit = True
                    await task
                await asyncio.gather(*[service.stop() for service in self._services])
        except TimeoutError:
            _LOG.error("not everything ended in time")
        for server, task in self._servers[:1]:
            server.should_exit = True
            await task

    async def _open(self, app: ASGIApp, port: int) -> int:
        listener = _listen(self._settings.host, port)
        config = uvicorn.Config(
            app,
            http=CorkedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_FINISH_SECONDS,
        )
        server = _Server(config)
        self._servers.append((server, asyncio.create_task(server.serve([listener]), name=f"port {port}")))
        found: int = listener.getsockname()[1]
        return found

    def _checks(self) -> list[Check]:
        return [check for service in self._services for check in service.checks()]

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)


def set_aside() -> None:
    """Spare what start-up has built, which stays for ever, from every later garbage collection.

    Looking through modules, routes and models again and again took a third of a request's processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PortTaken(f"cannot listen on {host}:{port}: {error.strerror}") from error


def run(
    definition: ServiceDefinition,
    settings: ServiceSettings,
    role: str,
    *,
    drain_seconds: float = DRAIN_SECONDS,
) -> None:
    """Run one service in one role (`api` or `worker`) until it is told to end; only an API drains."""
    logging.configure(service=definition.name, level=settings.log_level, style=settings.log_format)
    metrics, traffic = Metrics(definition.name), Traffic()
    service = Service(definition, settings, roles=frozenset({role}), metrics=metrics, traffic=traffic)
    drain = drain_seconds if role == API else 0.0

    async def main() -> None:
        await Host([service], settings, drain_seconds=drain).run()

    run_loop(main)


def run_loop(main: Callable[[], object]) -> None:
    """Run a coroutine function on uvloop where it exists."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())  # type: ignore[arg-type]
