"""Brokers behind TLS and accounts: who is let in is heard, who is not learns why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from signal import Signals

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError

from shared.contracts.registry import TOPICS
from shared.http.issuer import Issuer
from shared.http.management import create_management
from shared.http.service import Service
from shared.messaging.brokers import KafkaAccess, NotLetIn
from shared.messaging.kafka_listener import KafkaListener
from shared.messaging.progress import Progress
from shared.messaging.topics import declare
from tests.shared.http.conftest import NOON
from tests.shared.http.test_service import PARCELS, client_of, settings_of
from tests.shared.messaging.depot import World, running
from tests.shared.messaging.test_kafka import a_chain
from tests.shared.messaging.test_kafka_transport import relay_of, relayed, sent
from tests.support import parcels
from tests.support.clock import FixedClock
from tests.support.guarded_kafka import (
    MUTUAL,
    PASSWORD,
    PLAIN,
    SCRAM,
    TLS,
    Authority,
    GuardedKafka,
    guarded,
)
from tests.support.processes import Process, clean_environment, finished, until
from tests.support.real import FreshDatabases

pytestmark = pytest.mark.kafka
WRONG = "a word that opens nothing"
REFUSALS = {
    "a wrong password": (SCRAM, {"sasl_password": WRONG}, "invalid credentials.*PLUMBLINE_KAFKA__SASL_"),
    "a forgotten account": (PLAIN, {"sasl_username": ""}, "username not spec.*PLUMBLINE_KAFKA__SASL_"),
    "another mechanism": (SCRAM, {"sasl_mechanism": "PLAIN"}, "Mechanism.*PLUMBLINE_KAFKA__SASL_"),
    "a stranger's authority": (TLS, {"ssl_cafile": "stranger.pem"}, "VERIFY_FAILED.*PLUMBLINE_KAFKA__SSL_"),
    "no certificate": (MUTUAL, {"ssl_certfile": None}, "certificate.*PLUMBLINE_KAFKA__SSL_"),
    "a file that is not there": (TLS, {"ssl_cafile": "nowhere.pem"}, r"_CAFILE: .*nowhere\.pem is not there"),
    "a file that is none": (TLS, {"ssl_cafile": "."}, r"look at the files of PLUMBLINE_KAFKA__SSL_\*"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def kafka_behind_doors(kafka_libraries: Path, folder: Path) -> Iterator[GuardedKafka]:
    Authority(folder, "stranger")
    kafka = guarded(kafka_libraries, folder)
    try:
        kafka.broker.start()
        yield kafka
    finally:
        kafka.broker.discard()


@pytest.fixture(params=REFUSALS.values(), ids=REFUSALS)
def refused(
    request: pytest.FixtureRequest, kafka_behind_doors: GuardedKafka, folder: Path
) -> tuple[KafkaAccess, str]:
    """A way that is closed, and what is to be said about it."""
    door, changed, said = request.param
    changed = {n: v and str(folder / v) if n.startswith("ssl_") else v for n, v in changed.items()}
    return kafka_behind_doors.access(door, **changed), said


@pytest.mark.parametrize(("mouth", "ear"), [(SCRAM, MUTUAL), (TLS, PLAIN)])
async def test_what_is_said_behind_one_door_is_heard_behind_another(
    world: World, kafka_behind_doors: GuardedKafka, mouth: str, ear: str
):
    said, heard = kafka_behind_doors.access(mouth), kafka_behind_doors.access(ear)
    await declare(said, world.source.store.partitions)
    listener = KafkaListener(world.depot.consumer, heard, group=world.topic)
    async with running(relay_of(world, said).run, listener.run):
        await world.send(20)
        await until(world.heard, f"nothing arrives through {mouth} and {ear}")
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()


async def test_who_is_not_let_in_learns_why_and_which_setting_decides(refused: tuple[KafkaAccess, str]):
    access, said = refused
    async with asyncio.timeout(10):
        with pytest.raises(NotLetIn, match=said) as told:
            await declare(access, {"plumbline.nothing.v1": 1})
    assert not any(secret in str(told.value) for secret in (WRONG, PASSWORD))


@pytest.mark.parametrize(
    ("door", "protocol"), [(SCRAM, "PLAINTEXT"), (PLAIN, "PLAINTEXT"), (PLAIN, "SASL_SSL")]
)
async def test_who_takes_the_wrong_protocol_is_pointed_to_it(
    kafka_behind_doors: GuardedKafka, door: str, protocol: str
):
    access = kafka_behind_doors.access(door, security_protocol=protocol)
    with pytest.raises(KafkaConnectionError, match=r"hangs up.*PLUMBLINE_KAFKA__SECURITY_PROTOCOL"):
        await declare(access, {"plumbline.nothing.v1": 1})


@pytest.mark.parametrize("changed", [{"sasl_password": WRONG}, {"ssl_cafile": "/nowhere.pem"}])
async def test_a_worker_that_is_refused_says_why_goes_on_knocking_and_follows_the_feed(
    world: World, kafka_behind_doors: GuardedKafka, changed: dict[str, str]
):
    """The process must not end: it may have an API to serve."""
    access = kafka_behind_doors.access(SCRAM, **changed)
    relay = relay_of(world, access)
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    progress = Progress(world.depot.consumer, poll=0.05, patience=0.3)

    async def told() -> bool:
        knocked = world.depot.counted("consumer_rebuilt_total", reason="failure")
        return "PLUMBLINE_KAFKA__S" in relay.refused and knocked > 1

    async with running(relay.run, listener.run, progress.run):
        await world.send(5)
        await until(told, "nobody learns why nothing goes to Kafka")
        await until(world.heard, "a closed door holds up the depot")
    assert not any(secret in relay.refused for secret in (WRONG, PASSWORD))


@pytest.mark.fault
@pytest.mark.timeout(400)  # what is on its way to a broker is given up after a minute
async def test_a_password_that_is_changed_under_way_stops_nothing_but_kafka_until_it_is_put_right(
    world: World, kafka_behind_doors: GuardedKafka
):
    access = kafka_behind_doors.access(SCRAM)
    await declare(access, world.source.store.partitions)
    relay = relay_of(world, access)
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    progress = Progress(world.depot.consumer, poll=0.1, patience=0.5)

    async def refused() -> bool:
        return "invalid credentials" in relay.refused

    async def let_in() -> bool:
        return relay.refused == "" and await relayed(world)

    async with running(relay.run, listener.run, progress.run):
        await world.send(5)
        await until(let_in, "the relay does not come in")
        try:
            await asyncio.to_thread(kafka_behind_doors.set_password, WRONG)
            await asyncio.to_thread(kafka_behind_doors.broker.restart)
            await world.send(5)
            await until(refused, "the relay does not say why it stands still", 180)
            await until(world.heard, "a closed door holds up the depot")
        finally:
            await asyncio.to_thread(kafka_behind_doors.set_password, PASSWORD)
        await until(let_in, "the relay does not come in again")
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()


async def test_a_service_that_kafka_refuses_serves_its_api_and_tells_why(
    fresh_databases: FreshDatabases, kafka_behind_doors: GuardedKafka, tmp_path: Path
):
    issuer = Issuer.open(tmp_path / "issuer.json", clock=FixedClock(NOON))
    closed = kafka_behind_doors.access(SCRAM, sasl_password=WRONG)
    settings = settings_of(
        await fresh_databases("parcels", parcels.migrate),
        issuer,
        kafka_bootstrap_servers=closed.bootstrap_servers,
        kafka=closed.settings,
    )
    service = Service(PARCELS, settings, clock=FixedClock(NOON))
    await service.start()
    try:
        transport = httpx.ASGITransport(app=create_management(service.checks, service.metrics))
        async with (
            client_of(service, issuer, "requester") as client,
            httpx.AsyncClient(transport=transport, base_url="http://management") as management,
        ):

            async def told() -> bool:
                return "invalid credentials" in (await management.get("/readyz?verbose")).text

            await until(told, "nobody learns why nothing goes to Kafka")
            answered = await client.post("/v1/parcels", json={"label": "for Anna"})
            assert (answered.status_code, (await management.get("/readyz")).status_code) == (201, 200)
    finally:
        await service.stop()


async def test_commands_come_in_with_the_account_of_the_environment(
    kafka_behind_doors: GuardedKafka, tmp_path: Path
):
    told = environment_of(kafka_behind_doors, PASSWORD, tmp_path / "password")
    assert "declared now" in await finished("-m", "services", "topics", "--apply", environment=told)
    [topic, *_] = TOPICS
    await sent(kafka_behind_doors.access(SCRAM), a_chain(topic, 0, 1))
    servers = told["KAFKA_BOOTSTRAP_SERVERS"]
    arguments = ["-m", "services", "tail", "--kafka", servers, "--from-start", "--json"]
    tail = Process("plumbline tail", arguments, told, tmp_path / "tail.log").start()

    async def shown() -> bool:
        return '"ce_type": "plumbline.parcel.sent.v1"' in tail.said()

    try:
        await until(shown, lambda: f"nothing is shown: {tail.said()}")
    finally:
        await tail.end(Signals.SIGINT)


async def test_a_command_that_is_refused_ends_at_once_with_one_sentence(
    kafka_behind_doors: GuardedKafka, tmp_path: Path
):
    told = environment_of(kafka_behind_doors, WRONG, tmp_path / "password")
    commands = (
        ("services", "tail", "--kafka", told["KAFKA_BOOTSTRAP_SERVERS"]),
        ("shared.messaging",),
    )
    ended = [finished("-m", *command, environment=told, status=1, seconds=30) for command in commands]
    for said in await asyncio.gather(*ended):
        assert "invalid credentials" in said
        assert "PLUMBLINE_KAFKA__SASL_" in said
        assert "Traceback" not in said
        assert WRONG not in said


def environment_of(kafka: GuardedKafka, password: str, file: Path) -> dict[str, str]:
    """What a process is told that signs in with a password from a file."""
    file.write_text(f"{password}\n")
    told = {**clean_environment(), **kafka.environment(SCRAM), "COLUMNS": "200"}
    del told["PLUMBLINE_KAFKA__SASL_PASSWORD"]
    return {**told, "PLUMBLINE_KAFKA__SASL_PASSWORD_FILE": str(file)}
