"""A support desk that hands its tickets to Plumbline, each exactly once, however often it tries.

It needs httpx and nothing of Plumbline's own code.

    plumbline token service-desk --role desk_tool > desk.token
    python examples/support_desk.py examples/tickets.jsonl --token-file desk.token

Every line of the file is a ticket: the fields of a request, and the ticket's own `id`. That id is the
Idempotency-Key, so a ticket that was sent before gets the answer that it got then: run it twice and see.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx

TRIES = 8
LONGEST_PAUSE_SECONDS = 10.0


def submit(api: httpx.Client, ticket: dict[str, Any]) -> httpx.Response:
    """Post one ticket until there is an answer; the same key makes all tries one request."""
    headers = {"Idempotency-Key": ticket["id"]}
    body = {name: value for name, value in ticket.items() if name != "id"}
    for attempt in range(TRIES):
        try:
            answer = api.post("/v1/requests", json=body, headers=headers)
        except httpx.TransportError as error:
            print(f"{ticket['id']}: no answer ({error!r})", file=sys.stderr)
        else:
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
            print(f"{ticket['id']}: {answer.json()['code']}", file=sys.stderr)
        time.sleep(min(0.2 * 2**attempt, LONGEST_PAUSE_SECONDS))
    raise SystemExit(f"{ticket['id']}: given up after {TRIES} tries; run this again, nothing is sent twice")


def report(ticket: dict[str, Any], answer: httpx.Response) -> bool:
    """Say what became of a ticket; tell whether it was taken."""
    found = answer.json()
    if answer.is_success:
        again = " (sent before)" if answer.headers.get("Idempotency-Replayed") else ""
        print(f"{ticket['id']}: {found['number']} {ticket['title']}{again}")
        return True
    print(f"{ticket['id']}: {answer.status_code} {found['code']}: {found['detail']}", file=sys.stderr)
    for error in found.get("errors", []):
        print(f"  {error['pointer']}: {error['detail']} {error['remedy']}", file=sys.stderr)
    return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tickets", type=Path, help="a file of JSON lines, such as examples/tickets.jsonl")
    parser.add_argument("--intake", default="http://127.0.0.1:8080/intake", help="intake's URL (%(default)s)")
    parser.add_argument("--token-file", type=Path, default=Path(".plumbline/token"), help="(%(default)s)")
    options = parser.parse_args()
    lines = options.tickets.read_text(encoding="utf-8").splitlines()
    headers = {"Authorization": f"Bearer {options.token_file.read_text(encoding='utf-8').strip()}"}
    with httpx.Client(base_url=options.intake, headers=headers, timeout=15) as api:
        tickets = [json.loads(line) for line in lines if line.strip()]
        taken = [report(ticket, submit(api, ticket)) for ticket in tickets]
    sys.exit(0 if all(taken) else 1)


if __name__ == "__main__":
    main()
