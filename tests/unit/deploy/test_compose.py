"""What `deploy/compose.yaml` must not get wrong. No container engine is needed, so it says nothing about the images."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.unit.deploy.named_settings import EVERY, OF_SERVICE

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
PROCESSES: dict[str, dict[str, Any]] = COMPOSE["services"]
REDRESS = {name: process for name, process in PROCESSES.items() if process["image"].startswith("redress:")}
SERVICES = ("intake", "routing", "sla", "reporting")
DATABASES = {service: f"REDRESS_DATABASE_{service.upper()}" for service in SERVICES}

REQUIRED = r"\$\{[A-Z][A-Z0-9_]*:\?[^}]+\}"
TEXTS = {"type": "array", "items": {"type": "string"}}
CONDITIONS = ("service_healthy", "service_completed_successfully")
DURATION = {"type": "string", "pattern": r"^\d+(s|m)$"}

# Written by us after the Compose specification, of which it has only what is used here, and nothing else allowed: some
# versions of the tool ignore a misspelt key. `docker compose config` is the judge, where there is one (the last test).
# Values that YAML might take for something else than text must be quoted.
SCHEMA = {
    "type": "object",
    "required": ["name", "services", "volumes", "networks"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
        "networks": {
            "type": "object",
            "additionalProperties": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": {"internal": {"type": "boolean"}},
            },
        },
        "services": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z][a-z0-9-]*$"},
            "additionalProperties": {
                "type": "object",
                "required": ["image", "restart", "security_opt", "cap_drop", "networks"],
                "additionalProperties": False,
                "properties": {
                    "image": {"type": "string", "pattern": "^[a-z/-]+:[a-z0-9.-]+$"},
                    "build": {
                        "type": "object",
                        "required": ["context", "dockerfile"],
                        "additionalProperties": False,
                        "properties": {"context": {"type": "string"}, "dockerfile": {"type": "string"}},
                    },
                    "hostname": {"type": "string"},
                    "command": TEXTS,
                    "user": {"type": "string"},
                    "read_only": {"type": "boolean"},
                    "tmpfs": TEXTS,
                    "cap_drop": TEXTS,
                    "cap_add": TEXTS,
                    "networks": TEXTS,
                    "security_opt": TEXTS,
                    "restart": {"enum": ["no", "unless-stopped"]},
                    "stop_grace_period": DURATION,
                    "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
                    "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[^:]+:/[^:]+(:ro)?$"}},
                    "environment": {
                        "type": "object",
                        "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"},
                        "additionalProperties": {"type": "string"},
                    },
                    "depends_on": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "required": ["condition"],
                            "additionalProperties": False,
                            "properties": {
                                "condition": {"enum": ["service_healthy", "service_completed_successfully"]}
                            },
                        },
                    },
                    "healthcheck": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "disable": {"type": "boolean"},
                            "test": {"type": "array", "prefixItems": [{"const": "CMD"}], "items": {"type": "string"}},
                            "interval": DURATION,
                            "timeout": DURATION,
                            "start_period": DURATION,
                            "retries": {"type": "integer"},
                        },
                    },
                },
            },
        },
    },
}


def test_it_is_a_compose_file() -> None:
    jsonschema.validate(COMPOSE, SCHEMA)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_an_http_process_and_a_worker(service: str) -> None:
    assert REDRESS[service]["command"] == [
        "serve", service, "--host", "0.0.0.0", "--port", "8000", "--root-path", f"/{service}"
    ]  # fmt: skip
    assert REDRESS[f"{service}-worker"]["command"] == ["work", service]
    for process in (REDRESS[service], REDRESS[f"{service}-worker"]):
        assert process["depends_on"] == {
            "postgres": {"condition": "service_healthy"},
            "kafka": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
            "topics": {"condition": "service_completed_successfully"},
        }


def test_there_is_nothing_but_the_services_what_prepares_them_and_what_they_stand_on() -> None:
    processes = {name for service in SERVICES for name in (service, f"{service}-worker")}
    beside = {"migrate", "topics", "postgres", "kafka", "front", "prometheus", "grafana"}
    assert set(PROCESSES) == processes | beside
    assert REDRESS["migrate"]["command"] == ["migrate"]
    assert REDRESS["topics"]["command"] == ["topics"]


def test_what_people_reach_is_published_on_the_loopback_address_alone() -> None:
    ports = {name: process["ports"] for name, process in PROCESSES.items() if "ports" in process}
    watching = {
        "front": ["127.0.0.1:8000:8000"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    services = {service: [f"127.0.0.1:{8001 + place}:8000"] for place, service in enumerate(SERVICES)}
    assert ports == services | watching


def test_one_address_leads_to_every_service() -> None:
    known = ",".join(f"{service}=http://{service}:8000" for service in SERVICES)
    assert f"--services={known}" in REDRESS["front"]["command"]


def test_postgresql_and_kafka_are_where_nothing_leads_out() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert PROCESSES["postgres"]["networks"] == PROCESSES["kafka"]["networks"] == ["inside"]


INTAKE_ALONE = {"REDRESS_ENCRYPTION_KEYS", "REDRESS_PSEUDONYM_KEY", "REDRESS_PUBLIC_URL"}
OF_PEOPLE = {"REDRESS_SESSION_KEYS", "REDRESS_TRUSTED_PROXIES"}


@pytest.mark.parametrize("service", SERVICES)
def test_each_process_gets_only_its_own_database_and_intake_alone_the_encryption_keys(service: str) -> None:
    expected = {"REDRESS_KAFKA", DATABASES[service]} | (INTAKE_ALONE if service == "intake" else set())
    assert set(REDRESS[service]["environment"]) == expected | OF_PEOPLE
    assert set(REDRESS[f"{service}-worker"]["environment"]) == expected | {"REDRESS_WORKER_PORT"}


def test_migration_reaches_every_database_and_the_topics_need_only_kafka() -> None:
    assert set(REDRESS["migrate"]["environment"]) == {"REDRESS_KAFKA", *DATABASES.values()}
    assert set(REDRESS["topics"]["environment"]) == {"REDRESS_KAFKA"}


def test_every_variable_is_one_that_the_settings_know() -> None:
    for name, process in REDRESS.items():
        assert set(process["environment"]) <= OF_SERVICE.get(name.removesuffix("-worker"), EVERY), name


def test_addresses_lead_to_processes_and_databases_that_there_are() -> None:
    made = set(re.findall(r"^CREATE DATABASE (\w+);$", (DEPLOY / "postgres" / "init.sql").read_text(), re.MULTILINE))
    for name, process in REDRESS.items():
        environment = process["environment"]
        assert environment["REDRESS_KAFKA"] == PROCESSES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"][9:]
        for service, variable in DATABASES.items():
            if variable in environment:
                assert re.fullmatch(
                    rf"postgresql\+asyncpg://redress:{REQUIRED}@postgres/redress_{service}", environment[variable]
                ), name
    assert made == {f"redress_{service}" for service in SERVICES}
    assert PROCESSES["postgres"]["environment"]["POSTGRES_USER"] == "redress"


def test_no_secret_is_written_down_and_none_has_a_default() -> None:
    for name, process in PROCESSES.items():
        for variable, value in process.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable):
                assert re.fullmatch(REQUIRED, value), f"{name}: {variable}"
            assert re.sub(REQUIRED, "", value).count("$") == 0, f"{name}: {variable} has a default or may be empty"
            password = re.search(r"://[^:/@]+:(.*)@", value)
            assert password is None or re.fullmatch(REQUIRED, password[1]), f"{name}: {variable}"
    text = (DEPLOY / "compose.yaml").read_text()
    wanted = re.findall(r"\$\{(\w+)", text)
    example = (DEPLOY / "compose.env.example").read_text()
    assert dict.fromkeys(wanted, "") == dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))


@pytest.mark.parametrize("name", REDRESS)
def test_every_process_of_ours_is_confined(name: str) -> None:
    process = REDRESS[name]
    user, group = process["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert process["read_only"] is True
    assert process["tmpfs"] == ["/tmp"]
    assert process["cap_drop"] == ["ALL"]
    assert process["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(PROCESSES.keys() - REDRESS.keys()))
def test_what_they_stand_on_is_confined_too(name: str) -> None:
    process = PROCESSES[name]
    assert process["cap_drop"] == ["ALL"]
    assert process["security_opt"] == ["no-new-privileges:true"]
    assert process.get("read_only") is True or name == "kafka", "its start script writes its settings"
    assert "healthcheck" in process


@pytest.mark.parametrize("name", PROCESSES)
def test_dependencies_can_come_true(name: str) -> None:
    for other, dependency in PROCESSES[name].get("depends_on", {}).items():
        if dependency["condition"] == "service_healthy":
            ours = other in REDRESS and "healthcheck" not in PROCESSES[other]  # then it is that of the image
            assert ours or "test" in PROCESSES[other]["healthcheck"], f"{other} could never be healthy"
        else:
            assert PROCESSES[other]["restart"] == "no", f"{other} would never be done"
    assert not _reaches(name, name), "waits for itself"


def _reaches(start: str, goal: str) -> bool:
    return any(other == goal or _reaches(other, goal) for other in PROCESSES[start].get("depends_on", {}))


def test_volumes_and_files_are_there() -> None:
    sources = {volume.split(":")[0] for process in PROCESSES.values() for volume in process.get("volumes", [])}
    files = {source for source in sources if source.startswith(".")}
    assert sources - files == set(COMPOSE["volumes"])
    monitoring = {file for file in files if file.startswith("./monitoring/")}
    assert all((DEPLOY / file).exists() for file in files - monitoring)
    assert monitoring == {f"./monitoring/{name}" for name in ("prometheus.yml", "alerts.yml", "dashboards")}
    assert not (DEPLOY / "monitoring").exists() or all((DEPLOY / file).exists() for file in monitoring)
    build = REDRESS["migrate"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


def test_kafka_is_of_the_version_that_the_tests_run_on() -> None:
    tested = re.search("<kafka.version>(.+)</kafka.version>", (DEPLOY / "kafka" / "pom.xml").read_text())
    assert tested is not None
    assert PROCESSES["kafka"]["image"] == f"apache/kafka:{tested[1]}"


def test_the_image_runs_as_the_same_unprivileged_user() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == [REDRESS["migrate"]["user"]]
    assert re.findall(r"^ENTRYPOINT (.+)$", dockerfile, re.MULTILINE) == ['["redress"]']


def test_what_the_image_is_built_from_reaches_the_build_and_nothing_else_does() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(copied)
    assert all((ROOT / path).exists() for path in copied)


def test_the_image_says_what_it_is_and_can_install_nothing() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    final = dockerfile.rpartition("\nFROM ")[2]
    for label in ("title", "description", "version", "revision"):
        assert f'org.opencontainers.image.{label}="' in final
    assert "HEALTHCHECK" in final
    assert "pip uninstall" in final
    assert not re.search(r"apt-get|gcc|build-essential|curl|pip install", final)


@pytest.mark.skipif(
    not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0,
    reason="docker compose is not here",
)
def test_docker_compose_takes_it() -> None:
    text = (DEPLOY / "compose.env.example").read_text()
    filled = {**os.environ, **dict.fromkeys(re.findall(r"^(\w+)=", text, re.MULTILINE), "example")}
    command = ["docker", "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, env=filled, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
