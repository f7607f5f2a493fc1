"""The documentation is complete, true, and asks no other host."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser

from shared.http.documentation import ASSETS
from tests.shared.http.conftest import House


class Loaded(HTMLParser):
    """Collects what a browser would load or run for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "link", "img", "iframe"):
            self.addresses.append(given.get("src") or given.get("href") or "")
        self.inline += (tag == "script" and "src" not in given) + (tag == "style") + ("style" in given)
        self.inline += sum(name.startswith("on") for name in given)


async def test_the_pages_load_only_what_this_service_serves(house: House) -> None:
    del house.client.headers["Authorization"]
    for path in ("/docs", "/problems/", "/problems/invalid"):
        page = await house.client.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert not re.search(r"https?:|unsafe|\*", policy)
        loaded = Loaded()
        loaded.feed(page.text)
        assert loaded.inline == 0, "an inline script or style would be blocked"
        assert loaded.addresses
        for address in loaded.addresses:
            if address == "data:,":
                continue
            assert address.startswith("/intake/docs/"), address
            found = await house.client.get(f"http://intake.test{address}")
            assert found.status_code == 200, address
            assert found.headers["content-type"].split(";")[0] in ("text/javascript", "text/css")


def test_no_style_fetches_from_another_host() -> None:
    for path in ASSETS.glob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""url\(\s*["']?\s*(?:https?:)?//""", text), path.name
        assert "@import" not in text, path.name


def test_our_own_script_turns_off_the_only_call_that_leaves_the_house() -> None:
    assert "validatorUrl: null" in (ASSETS / "documentation.js").read_text(encoding="utf-8")


def test_vendored_files_are_the_published_ones_with_their_licence() -> None:
    rows = re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (ASSETS / "VENDORED.md").read_text(), re.MULTILINE)
    assert {name for name, _ in rows} == {"swagger-ui-bundle.js", "swagger-ui.css"}
    for name, digest in rows:
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest, name
    assert "Apache License" in (ASSETS / "licences" / "swagger-ui.LICENSE").read_text(encoding="utf-8")


async def test_only_the_listed_files_are_served(house: House) -> None:
    for name in ("VENDORED.md", "page.html", "..%2Fapp.py", "licences", "problems.json"):
        assert (await house.client.get(f"/docs/{name}")).status_code == 404, name


async def test_the_document_tells_tokens_problems_and_headers(house: House) -> None:
    document = (await house.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/intake"}]
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["bearerFormat"] == "JWT"
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert "422" not in operation["responses"], (method, path)
            told = operation["responses"]["default"]["content"]["application/problem+json"]
            assert told["schema"] == {"$ref": "#/components/schemas/Problem"}
    submit = document["paths"]["/v1/requests"]["post"]
    assert [parameter["name"] for parameter in submit["parameters"]] == ["Idempotency-Key"]
    assert document["components"]["schemas"]["NewRequest"]["additionalProperties"] is False


async def test_a_problem_looks_as_the_document_says(house: House) -> None:
    document = (await house.client.get("/openapi.json")).json()
    schema = document["components"]["schemas"]["Problem"]
    told = (await house.client.post("/v1/requests", json={})).json()
    assert set(told) <= set(schema["properties"])
    assert set(schema["required"]) <= set(told)
