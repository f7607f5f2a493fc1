"""The same assistant in FastStream: only how messages are fetched differs from `cab_workflow.py`.

FastStream is no dependency of Plumbline; give it an environment of its own:

    python -m venv cab && cab/bin/pip install "faststream[kafka]>=0.7,<0.8" "httpx>=0.28,<0.29"
    cab/bin/python examples/cab_workflow_faststream.py --kafka localhost:9092 --token-file cab.token
"""

# Requirements: faststream[kafka]>=0.7,<0.8 and httpx>=0.28,<0.29

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import httpx
from cab_workflow import HEARD, TOPIC, consider
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage


def board(options: argparse.Namespace, api: httpx.AsyncClient) -> FastStream:
    """Return the application: one subscriber, whose messages are acknowledged once they are dealt with."""
    broker = KafkaBroker(options.kafka)

    @broker.subscriber(
        TOPIC, group_id=options.group, auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR
    )
    async def hear(event: dict[str, Any], message: KafkaMessage) -> None:
        if message.headers.get("ce_type") in HEARD:
            await consider(api, message.headers["ce_id"], event)

    return FastStream(broker)


async def run(options: argparse.Namespace) -> None:
    token = options.token_file.read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=options.intake, headers=headers, timeout=15) as api:
        await board(options, api).run()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kafka", default="localhost:9092", help="bootstrap servers (%(default)s)")
    parser.add_argument("--group", default="cab-workflow", help="consumer group (%(default)s)")
    parser.add_argument("--intake", default="http://127.0.0.1:8080/intake", help="intake's URL (%(default)s)")
    parser.add_argument("--token-file", type=Path, default=Path(".plumbline/token"), help="(%(default)s)")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
