"""Loads the Woodgrove Bank sample through the APIs: services, an agreement, requests."""

from __future__ import annotations

import json
from pathlib import Path

from services.command_line.access import Access, Refused

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "woodgrove"
FILES = (("catalog", "catalog.json"), ("sla", "sla.json"), ("intake", "requests.json"))


async def load(access: Access) -> str:
    """Post what is not there yet and return what was loaded; empty when all of it was there already.

    Every post carries an idempotency key of its place in its file, and a record that exists is left alone,
    so loading again, or after an interruption, makes nothing twice.
    """
    loaded = []
    for service, name in FILES:
        posts = json.loads((FOLDER / name).read_text(encoding="utf-8"))["posts"]
        made = [await _post(access, service, f"woodgrove-{name}-{n}", post) for n, post in enumerate(posts)]
        if any(made):
            loaded.append(f"{sum(made)} of {name.removesuffix('.json')}")
    return ", ".join(loaded)


async def _post(access: Access, service: str, key: str, post: dict[str, object]) -> bool:
    try:
        return await access.post_anew(service, str(post["path"]), post["body"], key=key)
    except Refused as refused:
        if refused.status != 409:
            raise
        return False
