"""Posts requests at a steady rate and proves afterwards that none was lost or doubled.

    python -m tests.deploy.load --url intake=http://127.0.0.1:8081,demand=http://127.0.0.1:8082 --token ...

Each request has its own Idempotency-Key and is sent again with it until it is accepted, as a support desk
does. Every try that was not accepted is counted by its kind, with when it happened. At the end: intake lists
exactly the accepted ids, and demand, which hears of them through the broker, has counted each once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx

HANG_SECONDS = 15.0  # longer than any deadline of a service: a try without an answer by then hangs
PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 180.0
PAGE = 100


@dataclass
class Ledger:
    """What was sent and what came back; times are seconds since the load began."""

    accepted: dict[str, str] = field(default_factory=dict)  # key -> id
    seconds: list[float] = field(default_factory=list)  # of each first try that was accepted at once
    refusals: Counter[str] = field(default_factory=Counter)
    refused_at: dict[str, list[float]] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)

    def refuse(self, kind: str, at: float) -> None:
        self.refusals[kind] += 1
        self.refused_at.setdefault(kind, []).append(round(at, 1))


class Load:
    """One run against a deployment."""

    def __init__(self, addresses: dict[str, str], token: str, *, rate: float, seconds: float) -> None:
        self.run = f"load-{uuid4().hex[:12]}"
        self.ledger = Ledger()
        self._addresses = addresses
        self._rate = rate
        self._seconds = seconds
        self._began = 0.0
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=HANG_SECONDS,
            trust_env=False,
            limits=httpx.Limits(max_connections=400, max_keepalive_connections=20, keepalive_expiry=30),
        )

    async def send(self) -> None:
        """Send at the rate, whatever becomes of the requests, and wait until each is accepted."""
        self._began = time.monotonic()
        total = int(self._rate * self._seconds)
        tasks = []
        for number in range(total):
            await asyncio.sleep(max(0.0, self._began + number / self._rate - time.monotonic()))
            tasks.append(asyncio.create_task(self._submit(f"{self.run}-{number}")))
        await asyncio.gather(*tasks)

    async def _submit(self, key: str) -> None:
        body = {"kind": "service_request", "title": f"Drill {key}", "business_unit": self.run}
        first = time.monotonic()
        tries = 0
        while time.monotonic() - first < PATIENCE_SECONDS:
            tries += 1
            began = time.monotonic()
            kind = await self._try(key, body)
            if not kind:
                if tries == 1:
                    self.ledger.seconds.append(time.monotonic() - began)
                return
            self.ledger.refuse(kind, began - self._began)
            await asyncio.sleep(PAUSE_SECONDS)
        self.ledger.unfinished.append(key)

    async def _try(self, key: str, body: dict[str, str]) -> str:
        """Return why the request was not accepted; nothing when it was."""
        try:
            answer = await self._client.post(
                f"{self._addresses['intake']}/v1/requests", json=body, headers={"Idempotency-Key": key}
            )
        except httpx.TimeoutException:
            return "HANG"
        except httpx.TransportError as error:
            return f"{type(error).__name__}: {error}"
        if answer.status_code == httpx.codes.CREATED:
            self.ledger.accepted[key] = answer.json()["id"]
            return ""
        patience = "with" if "retry-after" in answer.headers else "WITHOUT"
        code = (
            answer.json().get("code", "")
            if "problem+json" in answer.headers["content-type"]
            else "NO PROBLEM"
        )
        return f"{answer.status_code} {code} {patience} Retry-After"

    async def findings(self) -> list[str]:
        """Return what is wrong with the ledger, compared with what the services have."""
        ids = set(self.ledger.accepted.values())
        wrong = []
        if self.ledger.unfinished:
            wrong.append(f"{len(self.ledger.unfinished)} requests were never accepted")
        if len(ids) != len(self.ledger.accepted):
            wrong.append("two keys have one id")
        listed = await self._listed()
        if len(listed) != len(set(listed)):
            wrong.append("intake lists an id twice")
        wrong += [f"{len(ids - set(listed))} accepted requests are LOST"] if ids - set(listed) else []
        wrong += [f"{len(set(listed) - ids)} requests are DOUBLED"] if set(listed) - ids else []
        counted = (await self._get("intake", "/v1/request-counts", business_unit=self.run))["total"]
        if counted != len(ids):
            wrong.append(f"intake counts {counted} of {len(ids)}")
        if "demand" in self._addresses:
            heard = await self._heard(len(ids))
            if heard != len(ids):
                wrong.append(f"demand has heard {heard} of {len(ids)}")
        return wrong

    async def _listed(self) -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self._get(
                "intake", "/v1/requests", business_unit=self.run, limit=str(PAGE), **cursor
            )
            found += [item["id"] for item in page["items"]]
            if not page["next_cursor"]:
                return found
            cursor = {"cursor": page["next_cursor"]}

    async def _heard(self, wanted: int) -> int:
        """Wait up to a minute until demand has heard that many; return how many it has."""
        deadline = time.monotonic() + 60
        while True:
            page = await self._get("demand", "/v1/request-demand", business_unit=self.run)
            heard = sum(month["requests"] for month in page["items"])
            if heard >= wanted or time.monotonic() > deadline:
                return heard
            await asyncio.sleep(PAUSE_SECONDS)

    async def _get(
        self, service: str, path: str, **query: str
    ) -> dict[str, list[dict[str, str]]] | dict[str, int]:
        answer = await self._client.get(f"{self._addresses[service]}{path}", params=query)
        answer.raise_for_status()
        return answer.json()

    async def close(self) -> None:
        await self._client.aclose()


def summary(load: Load, wrong: list[str]) -> dict[str, object]:
    """Return the run's figures; latencies in milliseconds, of requests accepted at the first try."""
    ordered = sorted(load.ledger.seconds)
    last = len(ordered) - 1
    at = {name: round(1000 * ordered[int(last * part)], 1) for name, part in QUANTILES} if ordered else {}
    spans = {kind: [min(times), max(times)] for kind, times in load.ledger.refused_at.items()}
    return {
        "run": load.run,
        "accepted": len(load.ledger.accepted),
        "accepted_at_first_try": len(ordered),
        "milliseconds": at,
        "tries_not_accepted": dict(load.ledger.refusals),
        "between_seconds": spans,
        "wrong": wrong,
    }


QUANTILES = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))


def addresses_of(url: str) -> dict[str, str]:
    """Read `intake=http://host:1,demand=http://host:2`, or one address that all services share."""
    if "=" not in url:
        return {name: f"{url.rstrip('/')}/{name}" for name in ("intake", "demand")}
    pairs = (each.split("=", 1) for each in url.split(","))
    return {name: f"{address.rstrip('/')}/{name}" for name, address in pairs}


async def main(arguments: argparse.Namespace) -> int:
    load = Load(addresses_of(arguments.url), arguments.token, rate=arguments.rate, seconds=arguments.seconds)
    try:
        await load.send()
        wrong = await load.findings()
    finally:
        await load.close()
    sys.stdout.write(json.dumps(summary(load, wrong), indent=1) + "\n")
    if arguments.ledger:
        arguments.ledger.write_text(json.dumps(load.ledger.accepted))
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--ledger", type=Path, help="where to leave the accepted ids, by key")
    sys.exit(asyncio.run(main(parser.parse_args())))
