"""What `deploy/systemd` must not get wrong: units that systemd takes, confined, with settings that there are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.events import TOPICS
from tests.unit.deploy.named_settings import COMMON, OF_SERVICE, SECRET

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
PROGRAM = "/opt/redress/.venv/bin/redress"
CONFINED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "CapabilityBoundingSet": "",
    "SystemCallArchitectures": "native",
    "User": "redress",
    "UMask": "0077",
}


def read(path: Path) -> list[tuple[str, str]]:
    lines = (line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def environment() -> dict[str, dict[str, str]]:
    """The example's files, by name."""
    found: dict[str, dict[str, str]] = {}
    for line in (FOLDER / "environment.example").read_text().splitlines():
        if line.startswith("## "):
            mine = found[line[3:]] = {}
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            mine[key] = value
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_every_process_is_confined(unit: Path) -> None:
    pairs = read(unit)
    assert dict(pairs).items() >= CONFINED.items()
    assert [value for key, value in pairs if key == "SystemCallFilter"] == [
        "@system-service",
        "~@privileged @resources",
    ]
    named = {value.strip("-") for key, value in pairs if key == "EnvironmentFile"}
    files = {f"/etc/redress/{name}" for name in environment()} | {"/etc/redress/%i.env"}
    assert named <= files
    assert all(PROGRAM in value for key, value in pairs if key == "ExecStart")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_takes_them(tmp_path: Path) -> None:
    for path in FOLDER.iterdir():
        text = path.read_text().replace(PROGRAM, "/bin/true")
        (tmp_path / path.name).write_text(text)
        if "@" in path.name:
            (tmp_path / path.name.replace("@", "@intake")).write_text(text)
    units = [str(p) for p in tmp_path.iterdir() if p.suffix in (".service", ".target", ".timer") and "@." not in p.name]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "redress" in line] == []


@pytest.mark.parametrize("kind", ["http", "worker"])
def test_migrating_again_stops_nobody_and_nobody_starts_before_his_schema_is_there(kind: str) -> None:
    pairs = read(FOLDER / f"redress-{kind}@.service")
    assert ("ExecStartPre", f"{PROGRAM} migrate %i --wait 60") in pairs
    assert not [value for key, value in pairs if key in ("Requires", "BindsTo") and "migrate" in value]


def test_the_target_wants_every_process() -> None:
    wanted = dict(read(FOLDER / "redress.target"))["Wants"].split()
    processes = {f"redress-{kind}@{service}.service" for service in TOPICS for kind in ("http", "worker")}
    assert set(wanted) == processes | {"redress-front.service"}


@pytest.mark.parametrize("service", TOPICS)
def test_the_example_names_settings_that_there_are_and_holds_no_secret(service: str) -> None:
    files = environment()
    mine = files[f"{service}.env"]
    assert {key for key in mine if key != "LISTEN_PORT"} <= OF_SERVICE[service]
    assert mine[f"REDRESS_DATABASE_{service.upper()}"] == files["migrate.env"][f"REDRESS_DATABASE_{service.upper()}"]
    assert files["common.env"].keys() <= COMMON
    for key, value in mine.items():
        if SECRET.search(key):
            assert re.search(r"<[a-z:0-9]+>", value), key


def test_the_front_page_asks_where_the_services_listen() -> None:
    files = environment()
    asked = dict(re.findall(r"(\w+)=http://127\.0\.0\.1:(\d+)", (FOLDER / "redress-front.service").read_text()))
    assert asked == {service: files[f"{service}.env"]["LISTEN_PORT"] for service in TOPICS}
    ports = [value for mine in files.values() for key, value in mine.items() if key.endswith("_PORT")]
    assert len(ports) == len(set(ports)) == 8
