"""A change board's assistant in plain aiokafka: hears of changes and casts its vote over HTTP.

It needs aiokafka and httpx and nothing of Plumbline's own code: a consumer of your own looks like this.

    plumbline token cab-workflow --role cab_member > cab.token
    python examples/cab_workflow.py --kafka localhost:9092 --token-file cab.token

`plumbline.rfc.classified.v1` says that a change is to be judged. An emergency can be voted on at once, any
other once its risk is assessed, as `plumbline.rfc.risk_assessed.v1` says. Changes of low or medium risk get
its approval; on all others it abstains and leaves them to people.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer

TOPIC = "plumbline.intake.rfcs.v1"
HEARD = {"plumbline.rfc.classified.v1", "plumbline.rfc.risk_assessed.v1"}
PAUSE_SECONDS = 2.0


async def consume(kafka: str, group: str, api: httpx.AsyncClient) -> None:
    """Take every message in order and only then tell Kafka: a crash repeats it, the key makes it one vote."""
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # the default, latest, would lose what came before the first start
    )
    await consumer.start()
    try:
        async for message in consumer:
            headers = {name: value.decode() for name, value in message.headers}
            if headers.get("ce_type") in HEARD:
                await consider(api, headers["ce_id"], json.loads(message.value))
            await consumer.commit()
    finally:
        await consumer.stop()


async def consider(api: httpx.AsyncClient, event_id: str, event: dict[str, Any]) -> None:
    """Vote on the change that the event is about, if it is this assistant's turn."""
    if event["historic"]:
        return  # imported history: to be counted, never to be acted on
    path = f"/v1/rfcs/{event['rfc_id']}"
    rfc = (await ask(api, "GET", path)).json()
    if "votes" not in rfc["allowed_transitions"]:
        print(f"{rfc['number']} {rfc['title']}: {rfc['state']}, not to be voted on now")
        return
    risk = rfc["risk"]["level"] if rfc["risk"] else "unknown"
    vote = "approve" if risk in {"low", "medium"} else "abstain"
    ballot = {"vote": vote, "revision": rfc["revision"], "comment": f"risk {risk}, judged by cab_workflow"}
    answer = await ask(api, "POST", f"{path}/votes", json=ballot, headers={"Idempotency-Key": event_id})
    if answer.is_success:
        print(f"{rfc['number']} {rfc['title']}: {vote} (risk {risk})")
    else:  # it has moved on since it was read; another event will tell
        print(f"{rfc['number']} {rfc['title']}: no vote, {answer.json()['detail']}")


async def ask(api: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    """Send until there is an answer: whatever is away or overloaded now is asked again later."""
    while True:
        try:
            answer = await api.request(method, path, **more)
        except httpx.TransportError as error:
            print(f"waiting for {api.base_url}: {error!r}")
        else:
            if answer.status_code in {401, 403, 404}:
                answer.raise_for_status()  # nothing that waiting mends
            if not answer.is_server_error:
                return answer
            print(f"waiting: {answer.status_code} {answer.text}")
        await asyncio.sleep(PAUSE_SECONDS)


async def run(options: argparse.Namespace) -> None:
    token = options.token_file.read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=options.intake, headers=headers, timeout=15) as api:
        await consume(options.kafka, options.group, api)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kafka", default="localhost:9092", help="bootstrap servers (%(default)s)")
    parser.add_argument("--group", default="cab-workflow", help="consumer group (%(default)s)")
    parser.add_argument("--intake", default="http://127.0.0.1:8080/intake", help="intake's URL (%(default)s)")
    parser.add_argument("--token-file", type=Path, default=Path(".plumbline/token"), help="(%(default)s)")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(options))


if __name__ == "__main__":
    main()
