"""The compose file starts everything, confined, watched, and on this machine only."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.rendered import SERVICES, documents, unknown

pytestmark = pytest.mark.manifests
ONE_SHOTS = {"secrets", "databases", "topics", *(f"{service}-migrate" for service in SERVICES)}
OF_OTHERS = {"postgresql", "kafka"}


def containers() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = documents("docker-compose")[0]["services"]
    return found


def test_the_profile_core_is_everything() -> None:
    expected = ONE_SHOTS | OF_OTHERS
    expected |= {f"{service}-{role}" for service in SERVICES for role in ("api", "worker")}
    assert set(containers()) == expected
    assert all(container["profiles"] == ["core"] for container in containers().values())


def test_whatever_runs_on_has_a_health_check_and_comes_back() -> None:
    for name, container in containers().items():
        if name in ONE_SHOTS:
            assert container["restart"] == "on-failure", name
        else:
            assert container["healthcheck"]["test"][0] == "CMD", f"{name}: no shell may be needed"
            assert container["restart"] == "unless-stopped", name


def test_our_containers_can_write_nothing_and_may_do_nothing_special() -> None:
    for name in containers().keys() - OF_OTHERS:
        container = containers()[name]
        assert container["read_only"] is True, name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
    assert all("mem_limit" in container for container in containers().values())


def test_every_environment_name_is_a_setting_of_the_services() -> None:
    for name in containers().keys() - OF_OTHERS:
        assert not unknown(containers()[name].get("environment", {})), name


def test_only_this_machine_can_reach_it() -> None:
    for name, container in containers().items():
        for port in container.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_a_service_sees_its_own_secrets_only() -> None:
    for service in SERVICES:
        for role in ("api", "worker"):
            assert containers()[f"{service}-{role}"]["volumes"] == [f"{service}-secrets:/run/plumbline:ro"]
    seeing_the_root = [
        n for n, c in containers().items() if any("root-of-trust" in v for v in c.get("volumes", []))
    ]
    assert sorted(seeing_the_root) == ["databases", "secrets"]


def test_no_image_is_whatever_was_pushed_last() -> None:
    for name, container in containers().items():
        image, _, tag = container["image"].rpartition(":")
        assert image, name
        assert tag != "latest", name
