"""The deployment as rendered: what `make check-deploy` leaves for the tests to judge."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.runtime.settings import variables
from tests.architecture.house_map import ROOT

RENDERED = ROOT / ".plumbline" / "rendered"
OVERLAYS = ("dev", "prod")
SERVICES = ("intake", "demand", "catalog", "sla")


def documents(name: str) -> list[dict[str, Any]]:
    """Return the YAML documents of one rendered file."""
    path = RENDERED / f"{name}.json"
    assert path.exists(), f"{path.relative_to(ROOT)} is missing: `make check-deploy` renders it"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Workload:
    """A Deployment, StatefulSet or Job, by what matters about its pods."""

    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.manifest['kind']} {self.manifest['metadata']['name']}"

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    @property
    def component(self) -> str:
        return str(self.labels["app.kubernetes.io/component"])

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.manifest["spec"]["template"]["metadata"]["labels"])

    @property
    def pod(self) -> dict[str, Any]:
        return dict(self.manifest["spec"]["template"]["spec"])

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def ours(self) -> bool:
        """Whether it runs an image of this project."""
        return all("plumbline" in container["image"] for container in self.containers)


def workloads(overlay: str) -> list[Workload]:
    """Return everything that runs pods."""
    kinds = {"Deployment", "StatefulSet", "Job"}
    return [Workload(manifest) for manifest in documents(overlay) if manifest["kind"] in kinds]


def of_kind(overlay: str, kind: str) -> list[dict[str, Any]]:
    """Return the manifests of one kind."""
    return [manifest for manifest in documents(overlay) if manifest["kind"] == kind]


def environment(overlay: str, container: Mapping[str, Any]) -> dict[str, str]:
    """Return what a container's environment will be; values that the cluster fills in are placeholders."""
    maps = {m["metadata"]["name"]: m["data"] for m in of_kind(overlay, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    for each in container.get("env", []):
        found[each["name"]] = each.get("value", "filled in by the cluster")
    return found


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector takes a pod with these labels."""
    wanted = selector.get("matchLabels", {})
    among = [e for e in selector.get("matchExpressions", []) if e["operator"] == "In"]
    return wanted.items() <= labels.items() and all(labels.get(e["key"]) in e["values"] for e in among)


def known_names() -> tuple[set[str], tuple[str, ...]]:
    """Return every setting's name (secrets also as files) and the beginnings that are open-ended."""
    listed = list(variables())
    names = {v.name for v in listed} | {f"{v.name}_FILE" for v in listed if v.secret}
    return names, tuple(n.removesuffix("<NAME>") for n in names if n.endswith("<NAME>"))


def unknown(names: Mapping[str, str], *besides: str) -> list[str]:
    """List the environment names that no setting reads."""
    known, beginnings = known_names()
    return [n for n in names if n not in known and n not in besides and not n.startswith(beginnings)]


def of_every_overlay() -> Iterator[tuple[str, Workload]]:
    """Yield the workloads of all overlays."""
    for overlay in OVERLAYS:
        for workload in workloads(overlay):
            yield overlay, workload


def folder_of(path: str) -> Path:
    """Return the folder that a file in a container stands in."""
    return Path(path).parent
