"""What `deploy/kubernetes` must not get wrong. The schemas are Kubernetes' own; the rest is what they cannot know."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from shared.events import TOPICS
from tests.unit.deploy.named_settings import COMMON, EVERY, OF_SERVICE, SECRET

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
VERSION = "1.32"
SERVICES = tuple(TOPICS)
CONTROLLERS = ("Deployment", "Job")


def read(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


KUSTOMIZATION: dict[str, Any] = read(FOLDER / "base" / "kustomization.yaml")[0]
BASE = [one for name in KUSTOMIZATION["resources"] for one in read(FOLDER / "base" / name)]


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [one for one in BASE if one["kind"] in kinds]


def name(one: dict[str, Any]) -> str:
    return str(one["metadata"]["name"])


def pod(one: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = one["spec"]["template"]["spec"]
    return found


def containers(one: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod(one).get("initContainers", []), *pod(one)["containers"]]


def labels(one: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = one["spec"]["template"]["metadata"]["labels"]
    return found


def chosen(selector: dict[str, Any]) -> list[dict[str, Any]]:
    """The controllers whose pods a label selector chooses."""

    def fits(has: dict[str, str]) -> bool:
        wanted = selector.get("matchLabels", {}).items()
        among = selector.get("matchExpressions", [])
        assert all(one["operator"] == "In" for one in among)
        return wanted <= has.items() and all(has.get(one["key"]) in one["values"] for one in among)

    return [one for one in of_kind(*CONTROLLERS) if fits(labels(one))]


def test_everything_is_valid_to_kubernetes_and_named_once() -> None:
    for one in BASE:
        kubernetes_validate.validate(one, VERSION, strict=True)
    names = [(one["kind"], name(one)) for one in BASE]
    assert len(names) == len(set(names))
    there = {path.name for path in (FOLDER / "base").iterdir()} - {"kustomization.yaml"}
    assert there == set(KUSTOMIZATION["resources"])


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not here")
@pytest.mark.parametrize("folder", ["base", "overlays/example"])
def test_kustomize_builds_it(folder: str) -> None:
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER / folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert len(built) == len(BASE)
    for one in built:
        if folder != "base" and one["kind"] in ("ConfigMap", "NetworkPolicy", "Ingress"):  # what the overlay changes
            kubernetes_validate.validate(one, VERSION, strict=True)
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] in ("redress", "complaints")
    images = {c["image"] for one in built if one["kind"] in CONTROLLERS for c in containers(one)}
    assert len(images) == 1
    assert "redress:0.1.0" in images.pop()


def test_the_overlay_patches_what_there_is() -> None:
    overlay = read(FOLDER / "overlays" / "example" / "kustomization.yaml")[0]
    there = {(one["kind"], name(one)) for one in BASE}
    for patch in overlay["patches"]:
        if "path" in patch:
            patched = {(one["kind"], name(one)) for one in read(FOLDER / "overlays" / "example" / patch["path"])}
        else:
            patched = {(patch["target"]["kind"], patch["target"]["name"])}
        assert patched <= there


@pytest.mark.parametrize("one", of_kind(*CONTROLLERS), ids=name)
def test_every_pod_is_confined(one: dict[str, Any]) -> None:
    of_pod = pod(one)["securityContext"]
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["runAsUser"] == of_pod["runAsGroup"] == 10001
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(one)["automountServiceAccountToken"] is False
    assert pod(one)["serviceAccountName"] in {name(account) for account in of_kind("ServiceAccount")}
    volumes = {volume["name"] for volume in pod(one)["volumes"]}
    for container in containers(one):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
        assert {m["name"] for m in container["volumeMounts"]} == volumes
        assert container["image"] == "redress"
    assert not any(key in pod(one) for key in ("hostNetwork", "hostPID", "hostIPC"))
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod(one)["volumes"])


@pytest.mark.parametrize("one", of_kind("Deployment"), ids=name)
def test_every_deployment_is_probed_spread_and_outlives_its_replacement(one: dict[str, Any]) -> None:
    (container,) = pod(one)["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8000}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "http"
    # alive, whatever else is away: a restart would not mend the database
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert one["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert one["spec"]["selector"]["matchLabels"] == labels(one)
    assert pod(one)["topologySpreadConstraints"]
    assert all(c["labelSelector"]["matchLabels"] == labels(one) for c in pod(one)["topologySpreadConstraints"])
    budgets = [b for b in of_kind("PodDisruptionBudget") if chosen(b["spec"]["selector"]) == [one]]
    assert [b["spec"]["maxUnavailable"] for b in budgets] == [1]


def test_every_http_process_serves_on_until_the_proxies_know_that_it_goes() -> None:
    serving = [one for one in of_kind("Deployment") if labels(one)["app.kubernetes.io/component"] == "http"]
    assert len(serving) == len(SERVICES) + 1
    for one in serving:
        (container,) = pod(one)["containers"]
        drain = float(dict(settings(one, container))["REDRESS_DRAIN_SECONDS"])
        assert drain >= 5
        assert drain + 20 < pod(one)["terminationGracePeriodSeconds"], "the server's own grace comes after it"


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_an_http_process_and_a_worker_that_wait_for_its_schema(service: str) -> None:
    found = {name(one): one for one in of_kind("Deployment") if labels(one)["app.kubernetes.io/name"] == service}
    commands = {key: pod(one)["containers"][0]["args"] for key, one in found.items()}
    serve = ["serve", service, "--host", "0.0.0.0", "--port", "8000", "--root-path", f"/{service}"]
    assert commands == {f"{service}-http": serve, f"{service}-worker": ["work", service]}
    for one in found.values():
        assert pod(one)["initContainers"][0]["args"] == ["migrate", service, "--wait", "600"]
    worker = pod(found[f"{service}-worker"])["containers"][0]
    assert {"name": "REDRESS_WORKER_PORT", "value": "8000"} in worker["env"]
    scalers = {one["spec"]["scaleTargetRef"]["name"]: one["spec"] for one in of_kind("HorizontalPodAutoscaler")}
    assert scalers[f"{service}-http"]["metrics"][0]["resource"]["name"] == "cpu"
    lag = scalers[f"{service}-worker"]["metrics"][0]["external"]["metric"]
    assert lag == {"name": "redress_consumer_lag", "selector": {"matchLabels": {"service": service}}}
    assert all("replicas" not in one["spec"] for one in found.values()), "each apply would undo the autoscaler's work"


def test_there_are_no_more_consumers_than_partitions() -> None:
    (topics,) = (one for one in of_kind("Job") if name(one) == "topics")
    partitions = int(containers(topics)[0]["args"][2])
    workers = [s for s in of_kind("HorizontalPodAutoscaler") if name(s).endswith("-worker")]
    assert {one["spec"]["maxReplicas"] for one in workers} == {partitions}


def test_selectors_and_ports_lead_somewhere() -> None:
    for one in of_kind("Service"):
        (deployment,) = chosen({"matchLabels": one["spec"]["selector"]})
        ports = {port["name"] for port in pod(deployment)["containers"][0]["ports"]}
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports
    deployments = {name(one) for one in of_kind("Deployment")}
    assert {one["spec"]["scaleTargetRef"]["name"] for one in of_kind("HorizontalPodAutoscaler")} <= deployments
    services = {name(one): {port["name"] for port in one["spec"]["ports"]} for one in of_kind("Service")}
    (ingress,) = of_kind("Ingress")
    paths = {}
    for path in ingress["spec"]["rules"][0]["http"]["paths"]:
        backend = path["backend"]["service"]
        assert backend["port"]["name"] in services[backend["name"]]
        paths[path["path"]] = backend["name"]
    assert paths == {"/": "front", **{f"/{service}": service for service in SERVICES}}
    (front,) = (one for one in of_kind("Deployment") if name(one) == "front")
    known = ",".join(f"{service}=http://{service}:8000" for service in SERVICES)
    assert f"--services={known}" in containers(front)[0]["args"]


def test_nothing_goes_in_or_out_but_what_is_named() -> None:
    policies = {name(one): one["spec"] for one in of_kind("NetworkPolicy")}
    deny = policies.pop("nothing-by-default")
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert all(one.get("ingress") or one.get("egress") for one in policies.values())
    for which, one in policies.items():
        assert one["podSelector"] == {} or chosen(one["podSelector"]), f"{which} is about no pod"
        for rule in (*one.get("ingress", []), *one.get("egress", [])):
            assert rule.get("ports"), f"{which} opens every port"
            assert rule.get("from") or rule.get("to"), f"{which} opens to everybody"
    world = policies["out-to-the-world"]["egress"][0]["to"][0]["ipBlock"]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(world["except"])
    for label, reach in (("postgresql-and-kafka", SERVICES), ("metrics", SERVICES)):
        reached = {labels(one)["app.kubernetes.io/name"] for one in chosen(policies[label]["podSelector"])}
        assert set(reach) <= reached


def settings(one: dict[str, Any], container: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    maps = {name(each): each["data"] for each in of_kind("ConfigMap")}
    for source in container.get("envFrom", []):
        reference = source["configMapRef"]
        assert reference["name"] in maps or reference["optional"]
        yield from maps.get(reference["name"], {}).items()
    for variable in container.get("env", []):
        yield variable["name"], variable.get("value", variable.get("valueFrom"))


@pytest.mark.parametrize("one", of_kind(*CONTROLLERS), ids=name)
def test_every_setting_is_one_that_there_is_and_no_secret_is_written_down(one: dict[str, Any]) -> None:
    service = labels(one)["app.kubernetes.io/name"]
    for container in containers(one):
        given = dict(settings(one, container))
        ours = {key for key in given if not key.startswith("AWS_")}
        known = OF_SERVICE.get(service, EVERY)
        assert ours <= known, f"unknown: {ours - known}"
        for key, value in given.items():
            if SECRET.search(key):
                assert set(value) == {"secretKeyRef"}, f"{key} is written down"
                secret = value["secretKeyRef"]["name"]
                mine = {"redress", f"redress-{service}"} if service != "migrate" else {f"redress-{s}" for s in SERVICES}
                assert secret in mine, f"{service} may read {secret}"
    assert not of_kind("Secret")


def test_each_service_has_what_it_cannot_start_without() -> None:
    for one in of_kind("Deployment"):
        service, container = labels(one)["app.kubernetes.io/name"], pod(one)["containers"][0]
        required = {
            v["name"]
            for v in container.get("env", [])
            if "valueFrom" in v and not v["valueFrom"]["secretKeyRef"].get("optional")
        }
        needs = {f"REDRESS_DATABASE_{service.upper()}", "REDRESS_SESSION_KEYS"} if service in SERVICES else set()
        needs |= {"REDRESS_ENCRYPTION_KEYS", "REDRESS_PSEUDONYM_KEY"} if service == "intake" else set()
        assert required == needs
        assert {"REDRESS_KAFKA"} <= dict(settings(one, container)).keys() & COMMON
    (migrate,) = (one for one in of_kind("Job") if name(one) == "migrate")
    given = dict(settings(migrate, containers(migrate)[0]))
    assert {key for key in given if "DATABASE" in key} == {f"REDRESS_DATABASE_{s.upper()}" for s in SERVICES}
