"""The rendered Kubernetes manifests keep the promises that operators look for first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.http import serve
from shared.runtime.settings import ServiceSettings
from tests.deploy.rendered import (
    OVERLAYS,
    SERVICES,
    documents,
    environment,
    folder_of,
    of_every_overlay,
    of_kind,
    selects,
    unknown,
    workloads,
)

pytestmark = pytest.mark.manifests
overlays = pytest.mark.parametrize("overlay", OVERLAYS)
LABELS = {f"app.kubernetes.io/{name}" for name in ("name", "component", "part-of", "instance", "version")}
CLUSTER_WIDE = {"Namespace", "ConfigMap", "NetworkPolicy", "Role", "RoleBinding"}
TRIAL_ONLY = ("PYTHONPATH",)


@overlays
def test_every_object_says_what_it_belongs_to(overlay: str) -> None:
    for manifest in documents(overlay):
        missing = LABELS - manifest["metadata"].get("labels", {}).keys()
        if manifest["kind"] in CLUSTER_WIDE | {"ServiceAccount"}:
            missing -= {"app.kubernetes.io/component", "app.kubernetes.io/name"}
        assert not missing, f"{manifest['kind']} {manifest['metadata']['name']} lacks {missing}"
    for workload in workloads(overlay):
        told_once = {"app.kubernetes.io/version"} if workload.kind == "StatefulSet" else set()
        assert workload.labels.keys() >= LABELS - told_once, workload.name


@overlays
def test_an_upgrade_changes_nothing_that_cannot_be_changed(overlay: str) -> None:
    for workload in workloads(overlay):
        for claim in workload.manifest["spec"].get("volumeClaimTemplates", []):
            assert "app.kubernetes.io/version" not in claim["metadata"].get("labels", {}), workload.name


@overlays
def test_each_service_has_an_api_a_worker_and_a_migration(overlay: str) -> None:
    names = {workload.name for workload in workloads(overlay)}
    for service in SERVICES:
        assert {f"Deployment {service}-api", f"Deployment {service}-worker"} <= names
        assert any(re.fullmatch(rf"Job {service}-migrate-\d+\.\d+\.\d+", name) for name in names)
    assert not [name for name in names if name.endswith("-release")], "a Job has no release in its name"


@overlays
def test_a_pod_can_do_nothing_but_its_work(overlay: str) -> None:
    namespace = of_kind(overlay, "Namespace")[0]["metadata"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for workload in workloads(overlay):
        pod = workload.pod
        assert pod["securityContext"]["runAsNonRoot"] is True, workload.name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, workload.name
        assert pod["enableServiceLinks"] is False, (
            f"{workload.name}: service links would be taken for settings"
        )
        assert pod["automountServiceAccountToken"] is (workload.component == "preparation"), workload.name
        for container in workload.containers:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, workload.name
            assert security["allowPrivilegeEscalation"] is False, workload.name
            assert security["capabilities"] == {"drop": ["ALL"]}, workload.name


@overlays
def test_every_container_says_what_it_needs_and_what_it_may_have(overlay: str) -> None:
    for workload in workloads(overlay):
        for container in workload.containers:
            resources = container["resources"]
            assert {"cpu", "memory"} <= resources["requests"].keys(), workload.name
            assert "memory" in resources["limits"], workload.name
            assert "cpu" not in resources["limits"], f"{workload.name}: a CPU limit only adds latency"


@overlays
def test_no_image_is_whatever_was_pushed_last(overlay: str) -> None:
    for workload in workloads(overlay):
        for container in workload.containers:
            image = container["image"]
            assert re.search(r":[^:/@]+$|@sha256:[0-9a-f]{64}$", image), f"{workload.name}: {image}"
            assert not image.endswith(":latest"), f"{workload.name}: {image}"
            assert overlay != "prod" or "@sha256:" in image, f"{workload.name}: {image} has no digest"


@overlays
def test_whatever_runs_on_is_probed_and_being_alive_depends_on_nothing_else(overlay: str) -> None:
    for workload in workloads(overlay):
        if workload.kind == "Job":
            continue
        for container in workload.pod["containers"]:
            probes = {name: container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
            assert probes["livenessProbe"] != probes["readinessProbe"], workload.name
            if workload.ours:
                paths = {name: probe["httpGet"]["path"] for name, probe in probes.items()}
                assert paths["livenessProbe"] == paths["startupProbe"] == "/livez", workload.name
                assert paths["readinessProbe"] == "/readyz", workload.name


@overlays
def test_every_environment_name_is_a_setting(overlay: str) -> None:
    for workload in workloads(overlay):
        for container in workload.containers:
            if workload.ours:
                names = environment(overlay, container)
                besides = TRIAL_ONLY if workload.component == "preparation" else ()
                assert not unknown(names, *besides), workload.name


@overlays
def test_the_services_accept_these_settings(
    overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("postgresql://intake_app@postgresql/intake\n")
    for workload in workloads(overlay):
        if workload.component not in {"api", "worker", "migration"}:
            continue
        with monkeypatch.context() as patched:
            for name, value in environment(overlay, workload.pod["containers"][0]).items():
                patched.setenv(name, str(secret) if name.endswith("_FILE") else value)
            settings = ServiceSettings()  # type: ignore[call-arg]  # its values come from the environment
        assert set(settings.sources) == set(SERVICES), workload.name
        assert settings.kafka_bootstrap_servers, workload.name
        owner = settings.migration_database_url is not None
        assert owner is (workload.component == "migration"), f"{workload.name}: only migrations own tables"


@overlays
def test_every_secret_is_a_file_that_is_mounted(overlay: str) -> None:
    for workload in workloads(overlay):
        for container in workload.containers:
            mounted = {Path(mount["mountPath"]) for mount in container["volumeMounts"]}
            for name, path in environment(overlay, container).items():
                if name.endswith("_FILE"):
                    assert folder_of(path) in mounted, f"{workload.name}: {name}"
            assert not [e for e in container.get("env", []) if "secretKeyRef" in e.get("valueFrom", {})]


@overlays
def test_an_upgrade_never_has_fewer_pods_and_an_end_is_never_cut_short(overlay: str) -> None:
    deployments = [workload for workload in workloads(overlay) if workload.kind == "Deployment"]
    assert len(deployments) == 2 * len(SERVICES)
    for workload in deployments:
        assert workload.manifest["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, workload.name
        assert workload.pod["topologySpreadConstraints"], workload.name
        pause = 0
        if workload.component == "api":
            pause = workload.pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert pause >= 5, "nodes need some seconds to learn that a pod leaves"
        grace = workload.pod["terminationGracePeriodSeconds"]
        assert grace >= pause + serve._BUDGET_SECONDS + 5, f"{workload.name} would be killed while it ends"
        budgets = [
            budget
            for budget in of_kind(overlay, "PodDisruptionBudget")
            if selects(budget["spec"]["selector"], workload.labels)
        ]
        assert len(budgets) == 1, f"{workload.name} needs exactly one disruption budget"


@overlays
def test_each_api_scales_from_two_and_leaves_the_number_to_its_autoscaler(overlay: str) -> None:
    scaled = {
        h["spec"]["scaleTargetRef"]["name"]: h["spec"] for h in of_kind(overlay, "HorizontalPodAutoscaler")
    }
    for service in SERVICES:
        assert scaled[f"{service}-api"]["minReplicas"] >= 2
    for workload in workloads(overlay):
        if workload.component == "api":
            assert "replicas" not in workload.manifest["spec"], "an apply would undo the autoscaler"


@overlays
def test_a_new_release_waits_for_its_migrations_before_it_starts(overlay: str) -> None:
    for workload in workloads(overlay):
        if workload.component in {"api", "worker"}:
            assert workload.pod["initContainers"][0]["args"] == ["wait"], workload.name


@overlays
def test_nothing_is_reached_that_is_not_allowed_by_name(overlay: str) -> None:
    policies = of_kind(overlay, "NetworkPolicy")
    denied = next(policy for policy in policies if policy["metadata"]["name"] == "deny-by-default")
    assert denied["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for workload in workloads(overlay):
        allowed = [
            p for p in policies if p is not denied and selects(p["spec"]["podSelector"], workload.labels)
        ]
        assert len(allowed) >= 2, f"{workload.name} can only look up names"


@overlays
def test_every_service_leads_to_pods_and_to_a_port_they_have(overlay: str) -> None:
    for service in of_kind(overlay, "Service"):
        chosen = [
            w for w in workloads(overlay) if selects({"matchLabels": service["spec"]["selector"]}, w.labels)
        ]
        assert len(chosen) == 1, service["metadata"]["name"]
        ports = {port["name"] for container in chosen[0].containers for port in container.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_pods_mount_only_secrets_that_the_guide_lists() -> None:
    guide = (Path(__file__).parents[2] / "deploy" / "k8s" / "README.md").read_text(encoding="utf-8")
    for overlay, workload in of_every_overlay():
        for volume in workload.pod.get("volumes", []):
            name = volume.get("secret", {}).get("secretName", "")
            general = re.sub(rf"^({'|'.join(SERVICES)})-", "<service>-", name)
            assert not name or f"`{general}`" in guide, f"{overlay} {workload.name}: {name}"
