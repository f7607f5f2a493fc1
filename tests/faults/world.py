"""A deployment under load, and the question whether all of it is sound after a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.demand import app as demand
from services.intake import app as intake
from services.sla import app as sla
from shared.contracts.envelope import from_headers
from shared.contracts.registry import TOPICS
from tests.faults import oracles
from tests.faults.oracles import Effect, Sent
from tests.support.deployment import Deployment, jsonl
from tests.support.load import SERVICE, Load
from tests.support.processes import until

SERVICES = ("intake", "demand", "sla")
DEFINITIONS = {each.name: each for each in (intake.definition(), demand.definition(), sla.definition())}
INTAKE_TOPICS = tuple(topic.name for topic in TOPICS.values() if topic.source == "/intake")
QUIET_SECONDS = 120.0

_EFFECTS = """
SELECT payload->>'category' AS operation, stream_id FROM log.event
WHERE type IN ('RequestSubmitted', 'RequestTriaged') AND payload->>'category' LIKE 'op-%'
"""
LOG = """
SELECT position, stream_id, version, type, payload, meta, recorded_at, digest, hash FROM log.event
ORDER BY position
"""
_OUTBOX = "SELECT topic, partition, position, prev FROM log.outbox ORDER BY topic, partition, position"
SAID = (
    "SELECT position FROM log.event JOIN log.outbox USING (position) WHERE topic = ANY($1) AND type = ANY($2)"
)
_TAKEN = """
SELECT split_part(meta->>'causation', '/', 4)::bigint AS position FROM log.event
WHERE type = $1 AND starts_with(meta->>'causation', $2)
"""
_ENDS = "SELECT topic, partition, max(position) AS position FROM log.outbox GROUP BY topic, partition"
_MARKS = "SELECT topic, partition, position FROM work.checkpoint WHERE source = $1"
_RELAYED = """
SELECT coalesce((SELECT max(position) FROM log.event), 0)
    = coalesce((SELECT max(position) FROM work.relay_checkpoint), 0) AS all
"""
_CLOCKS = """
SELECT count(*) FILTER (WHERE type = 'ClockAttached') AS attached,
    count(*) FILTER (WHERE type = 'ClockBreached') AS breached,
    count(DISTINCT payload->>'clock_id') FILTER (WHERE type = 'ClockBreached') AS distinct
FROM log.event
"""

# What a consumer makes of what it hears: source, stored types there, own type that must follow exactly once.
FOLLOWS: dict[str, Sequence[tuple[str, tuple[str, ...], str]]] = {
    "sla": [("intake", ("RequestSubmitted", "RequestTriaged"), "FactRecorded")],
    "demand": [("intake", ("RequestSubmitted",), "RequestHeard"), ("sla", ("ClockBreached",), "BreachHeard")],
    "intake": [("sla", ("ClockBreached",), "BreachNoted")],
}


def load_on(deployment: Deployment, **options: Any) -> Load:
    """Return clients of intake whose history stands beside the deployment's logs."""
    token = deployment.token("load", "desk_tool", "support_agent")
    return Load(deployment.address("intake"), token, deployment.folder / "history.jsonl", **options)


async def promise(deployment: Deployment) -> None:
    """Put an agreement in force by which every request of the load is late after a second."""
    target = {
        "name": "at once",
        "words": "Every request is answered within a second.",
        "start": [{"fact": "request.submitted"}],
        "stop": [{"fact": "request.fulfilled"}],
        "cancel": [],
        "seconds": 1,
    }
    body = {
        "kind": "sla", "title": "Load", "provider": "IT", "customer": "Load", "services": [SERVICE],
        "in_force_from": "2026-01-01T00:00:00Z", "targets": [target],
    }  # fmt: skip
    async with deployment.access("administrator") as access:
        steps = f"/v1/agreements/{(await access.post('sla', '/v1/agreements', body))['id']}"
        for party in ("provider", "customer"):
            await access.post("sla", f"{steps}/signatures", {"party": party, "by": party})
        await access.post("sla", f"{steps}/entry-into-force", {})


async def settled(deployment: Deployment, *, clocks: bool = True) -> bool:
    """Tell whether everything said was relayed and heard and, with `clocks`, every clock has run out."""
    for name in SERVICES:
        [relayed] = await deployment.fetch(name, _RELAYED)
        if not relayed["all"]:
            return False
        for subscription in DEFINITIONS[name].subscriptions:
            marks = {(m["topic"], m["partition"]): m["position"]
                     for m in await deployment.fetch(name, _MARKS, subscription.source)}  # fmt: skip
            if subscription.source not in SERVICES:
                continue
            for end in await deployment.fetch(subscription.source, _ENDS):
                place = (end["topic"], end["partition"])
                if end["topic"] in subscription.topics and marks.get(place, 0) < end["position"]:
                    return False
    return not clocks or await _all_clocks_have_run_out(deployment)


async def _all_clocks_have_run_out(deployment: Deployment) -> bool:
    [asked] = await deployment.fetch(
        "intake", "SELECT count(*) FROM log.event WHERE type = 'RequestSubmitted'"
    )
    [found] = await deployment.fetch("sla", _CLOCKS)
    return bool(found["attached"] == found["breached"] == asked["count"])


async def assert_sound(deployment: Deployment) -> None:
    """Wait for quiet, then put every oracle to all that has happened since the deployment began."""

    async def quiet() -> bool:
        with suppress(OSError):
            return await settled(deployment)
        return False

    await until(quiet, "the deployment does not come to rest", QUIET_SECONDS)
    wrong = [*await wrong_commands(deployment), *await wrong_effects(deployment)]
    for name in SERVICES:
        wrong += [f"{name}: {each}" for each in oracles.broken_log(await deployment.fetch(name, LOG))]
        wrong += await wrong_topics(deployment, name)
    assert not wrong, wrong[:20]


async def wrong_commands(deployment: Deployment) -> list[str]:
    """C1, C2, C3 for the load on intake."""
    history = jsonl(deployment.folder / "history.jsonl")
    found = await effects(deployment)
    return [
        *oracles.acknowledged_but_not_stored(history, found),
        *oracles.stored_but_not_invoked(history, found),
        *oracles.more_than_one_effect(found),
    ]


async def effects(deployment: Deployment) -> list[Effect]:
    """Return what the load has brought about in intake's log."""
    rows = await deployment.fetch("intake", _EFFECTS)
    return [Effect(operation=row["operation"], stream_id=row["stream_id"]) for row in rows]


async def wrong_topics(deployment: Deployment, service: str) -> list[str]:
    """C5 for the topics of one service."""
    outbox = [Sent(**dict(row)) for row in await deployment.fetch(service, _OUTBOX)]
    return [
        f"{service}: {each}"
        for each in oracles.broken_topics(await on_the_topics(deployment, service), outbox)
    ]


async def wrong_effects(deployment: Deployment) -> list[str]:
    """C6: what every consumer made of what it heard; and each clock ran out once."""
    wrong: list[str] = []
    for consumer, followed in FOLLOWS.items():
        for source, types, own in followed:
            topics = [
                topic for s in DEFINITIONS[consumer].subscriptions if s.source == source for topic in s.topics
            ]
            said = await deployment.fetch(source, SAID, topics, list(types))
            taken = await deployment.fetch(consumer, _TAKEN, own, f"/{source}/")
            found = oracles.not_applied_once([r["position"] for r in said], [r["position"] for r in taken])
            wrong += [f"{consumer} hearing {source}: {each}" for each in found]
    [clocks] = await deployment.fetch("sla", _CLOCKS)
    if clocks["breached"] != clocks["distinct"]:
        wrong.append(f"{clocks['breached']} breaches of {clocks['distinct']} clocks")
    return wrong


async def on_the_topics(deployment: Deployment, service: str) -> list[Sent]:
    """Read everything that lies on a service's topics, with a plain consumer."""
    names = [topic.name for topic in TOPICS.values() if topic.source == f"/{service}"]
    servers = deployment.broker.bootstrap_servers
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(name, n) for name in names for n in range(TOPICS[name].partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: list[Sent] = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [_sent(place, record) for record in records]
        return found
    finally:
        await asyncio.shield(consumer.stop())


def _sent(place: TopicPartition, record: Any) -> Sent:
    envelope = from_headers(record.headers, place.topic, place.partition, record.key)
    return Sent(topic=place.topic, partition=place.partition, position=envelope.position, prev=envelope.prev)
