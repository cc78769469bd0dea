"""What people told us of themselves stays in intake, sealed: it is searched for in everything that is written down."""

import asyncio
import base64
import json
import os
import random
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import httpx
import pytest

from deploy.infra import install
from shared.db import Database
from tests.chaos import truth
from tests.chaos.load import Channels, Complaint
from tests.chaos.sites import ClusterSite, DeskSite, Site

# Files that hold keys because that is what they are for; they are readable by their owner alone.
_SECRETS = frozenset({"dev-keys.json", "encryption-keys.json", "secrets", "environment"})
_CANARY = "Quittengelee"  # no personal data: it travels, so it shows that the search finds what is there


@pytest.mark.postgres
@pytest.mark.kafka
@pytest.mark.timeout(600)
async def test_cluster_writes_personal_data_nowhere_in_clear(
    cluster_site: ClusterSite, cluster_databases: dict[str, Database], rng: random.Random, tmp_path: Path
) -> None:
    hidden = await _tell_everything(cluster_site, cluster_databases, rng)
    cluster = cluster_site.cluster
    for name in cluster.ports:
        await _save_metrics(cluster_site.url(name), tmp_path / f"{name}.metrics")
    programs = install.find_postgres()
    assert programs
    for name in cluster_databases:
        where = cluster.postgres.url(f"redress_{name}", "postgresql")
        dumped = tmp_path / f"{name}.sql"
        subprocess.run([programs / "pg_dump", "--dbname", where, "--file", dumped], check=True)
        await truth.checkpoint(cluster_databases[name])
    data = (cluster.postgres.home / "data").resolve()
    written = [*_files(cluster_site.home), *_files(data), *_files(tmp_path)]
    kinds = {path.suffix for path in written}
    assert {".log", ".metrics", ".sql"} <= kinds
    assert any("redress.intake.v1-" in str(path) for path in written), "Kafka's segments are among them"
    canaries = _holding(written, [_CANARY])
    assert any("redress.intake.v1-" in path for path in canaries), "the search sees what travels through Kafka"
    assert any(path.startswith(str(data)) for path in canaries), "the search sees what PostgreSQL keeps"
    assert str(tmp_path / "routing.sql") in canaries or str(tmp_path / "intake.sql") in canaries
    assert _holding(written, [*hidden, *cluster_site.tokens.values()]) == {}


@pytest.mark.timeout(300)
async def test_desk_writes_personal_data_nowhere_in_clear(
    desk: DeskSite, desk_databases: dict[str, Database], rng: random.Random, tmp_path: Path
) -> None:
    hidden = await _tell_everything(desk, desk_databases, rng)
    for name in desk_databases:
        await _save_metrics(desk.url(name), tmp_path / f"{name}.metrics")
    written = [*_files(tmp_path)]  # its home and its log lie in there
    names = {path.name for path in written}
    assert {"intake.db", "intake.db-wal", desk.log.name, "reporting.metrics"} <= names
    assert any(path.endswith((".db", ".db-wal")) for path in _holding(written, [_CANARY]))
    assert _holding(written, hidden) == {}
    secret = [
        token for token in desk.tokens.values() if not token.startswith("pk_")
    ]  # the form's key stands in its page
    keys = _holding(written, secret)
    assert keys.keys() <= {str(desk.log)}, "the terminal shows the development keys, and nothing else does"
    await asyncio.to_thread(desk.process.stop)
    assert _holding(_files(tmp_path), hidden) == {}


async def _tell_everything(site: Site, databases: dict[str, Database], rng: random.Random) -> list[str]:
    """Post complaints with personal data in every field that takes text, the right way and in ways that are refused,
    and read them. Returns every value that must stay hidden, tracking tokens included."""
    hidden: list[str] = []
    async with Channels(site.url("intake"), site.tokens["channels"], rng) as channels:
        for number in range(3):
            personal = _person(rng)
            hidden += personal.values()
            one = _complaint(personal, number)
            response = await channels.try_once(one)
            assert response.status_code == 201, response.text
            receipt = response.json()
            hidden.append(receipt["tracking"]["token"])
            await _look(site, receipt, personal)
            for wrong in _wrong(one):
                refused = await channels.try_once(wrong)
                assert 400 <= refused.status_code < 500, refused.text
                assert not [v for v in personal.values() if v in refused.text], "a refusal quotes nothing"
    found, _ = await truth.settled(databases, within=60)
    assert found.differences == []
    return hidden


def _person(rng: random.Random) -> dict[str, str]:
    """An invented person whose every detail can be searched for. The numbers are well formed, so that they are known
    for what they are when somebody else's stand in a narrative."""
    letters = "".join(rng.choices("bcdfghklmnprstvwz", k=8))
    digits = "".join(rng.choices("0123456789", k=7))
    return {
        "name": f"Xaver{letters} Ypsil{letters}",
        "first name": f"Xaver{letters}",
        "phone": f"+8529{digits}",
        "email": f"x{letters}@mail-{letters}.example",
        "customer_no": f"QX-{letters}-{digits}",
        "other phone": f"6{digits}",
        "other email": f"other.{letters}@post-{letters}.example",
        "card": _luhn(f"41111{digits}".ljust(15, "7")),
        "account": f"012{digits}88",
        "identity": _hkid(f"K{digits[:6]}"),
        "identity number": f"K{digits[:6]}",
        "channel_ref": f"ref-{letters}-{digits}",
        "detail": f"Rosmarin{letters}",
        "key": f"key-{letters}-{digits}",
    }


def _complaint(personal: dict[str, str], number: int) -> Complaint:
    own = "{name} rang from {phone}, wrote from {email}, customer {customer_no}.".format(**personal)
    others = "Also try {other phone}, {other email}, card {card}, account {account}, {identity}.".format(**personal)
    who = {k: personal[k] for k in ("name", "phone", "email", "customer_no")}
    short = "Mr {first name} 電{other phone}號。".format(**personal)
    narrative = f"{_CANARY} {number}: the app was down. {own} {others} {short}"
    return Complaint(
        personal["key"],
        {
            "channel": "phone",
            "narrative": narrative,
            "complainant": who,
            "channel_ref": personal["channel_ref"],
            "branch": personal["name"],
            "product": personal["other email"],
            "desired_outcome": f"Ring {personal['name']} at {personal['other phone']}.",
            "detail": {"remark": f"{personal['detail']} {own}", "callback": personal["phone"]},
        },
    )


def _wrong(one: Complaint) -> Iterator[Complaint]:
    """Requests that are refused, each for another reason, with the same personal data in them."""
    person: dict[str, Any] = one.body["complainant"]
    no_address = f"{person['email']} {person['name']}"
    yield Complaint(f"{one.key}-a", {**one.body, "complainant": person | {"email": no_address}})
    yield Complaint(f"{one.key}-b", {**one.body, "channel": person["name"]})
    yield Complaint(f"{one.key}-c", {**one.body, "occurred_at": person["customer_no"]})
    yield Complaint(one.key, {**one.body, "narrative": f"{one.body['narrative']} once more"})


async def _look(site: Site, receipt: dict[str, Any], personal: dict[str, str]) -> None:
    """Read the complaint as staff, as the complainant, and as somebody with a wrong token."""
    async with httpx.AsyncClient(base_url=site.url("intake")) as client:
        staff = {"Authorization": f"Bearer {site.tokens['officer']}"}
        read = await client.get(f"/v1/complaints/{receipt['id']}", headers=staff)
        assert read.json()["complainant"]["name"] == personal["name"], "intake itself still knows"
        path = f"/v1/track/{receipt['reference']}"
        tracked = await client.get(path, params={"token": receipt["tracking"]["token"]})
        assert tracked.status_code == 200
        assert (await client.get(path, params={"token": personal["phone"]})).status_code == 404
        assert (await client.get(f"/v1/complaints/{personal['customer_no']}", headers=staff)).status_code == 404
        assert (await client.get("/v1/nowhere", params={"q": personal["email"]})).status_code == 404


async def _save_metrics(address: str, path: Path) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=10) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert "redress_" in answer.text
    path.write_text(answer.text)


def _files(folder: Path) -> list[Path]:
    """Every file below that holds something written by us; Kafka's indexes hold offsets only and are mostly holes."""
    return [
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name not in _SECRETS and not name.endswith(("index", ".jar"))
    ]


def _holding(files: Iterable[Path], values: Iterable[str]) -> dict[str, set[str]]:
    """Which of `values` stand in which files: as they are, as JSON or a dump would write them, or encoded."""
    spelt = {spelling: value for value in values for spelling in _spellings(value)}
    search = ["grep", "--text", "--fixed-strings", "--only-matching", "--with-filename", "--null", "--no-messages"]
    with NamedTemporaryFile("w", prefix="redress-wanted-") as wanted:
        wanted.write("\n".join(spelt))
        wanted.flush()
        command = [*search, "--file", wanted.name, "--", *map(str, files)]
        done = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
    assert done.returncode in (0, 1, 2), done.stderr  # 2: a file has gone meanwhile
    found: dict[str, set[str]] = {}
    for line in done.stdout.decode().splitlines():
        path, _, spelling = line.partition("\0")
        found.setdefault(path, set()).add(spelt[spelling])
    return found


def _spellings(value: str) -> set[str]:
    raw = value.encode()
    coded = [base64.b64encode(raw[skip:])[: (len(raw) - skip) // 3 * 4].decode() for skip in range(3)]
    return {value, json.dumps(value)[1:-1], raw.hex(), *(c for c in coded if len(c) >= 8)}


def _luhn(digits: str) -> str:
    for check in "0123456789":
        whole = digits + check
        total = sum(int(c) if i % 2 == 0 else sum(divmod(2 * int(c), 10)) for i, c in enumerate(reversed(whole)))
        if total % 10 == 0:
            return whole
    raise AssertionError(digits)


def _hkid(body: str) -> str:
    """With its check digit, as it is printed on the card."""
    total = 36 * 9 + (ord(body[0]) - 55) * 8 + sum(int(d) * w for d, w in zip(body[1:], range(7, 1, -1), strict=True))
    rest = -total % 11
    return f"{body}({'A' if rest == 10 else rest})"
