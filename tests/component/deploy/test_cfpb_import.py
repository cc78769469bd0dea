"""Importing the CFPB's file: each complaint exactly once, nothing cut, and every row that is left out is named."""

import asyncio
import csv
import gzip
import io
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from deploy.importers.cfpb import Cfpb
from deploy.importers.cfpb_rows import SeenIds, StandIns
from deploy.importers.checkpoint import RowSet
from deploy.importers.posting import Patience
from deploy.importers.running import ImportReport, run_import

NOW = datetime(2026, 3, 5, 10, tzinfo=UTC)
HEADINGS = [
    "Date received", "Product", "Sub-product", "Issue", "Sub-issue", "Consumer complaint narrative",
    "Company public response", "Company", "State", "ZIP code", "Tags", "Consumer consent provided?", "Submitted via",
    "Date sent to company", "Company response to consumer", "Timely response?", "Consumer disputed?", "Complaint ID",
]  # fmt: skip
QUICK = Patience(first=0.001, longest=0.005, total=5.0)


class FakeDesk(httpx.AsyncBaseTransport):
    """Keeps the promises of `POST /v1/complaints`: one complaint per key and per channel_ref, however often sent."""

    def __init__(self) -> None:
        self.bodies: dict[str, dict[str, Any]] = {}
        self.posts: Counter[str] = Counter()
        self.most_at_once = 0
        self._at_once = 0
        self.before: Callable[[str, dict[str, Any]], httpx.Response | None] = lambda key, body: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200)
        assert request.url == "http://desk/intake/v1/complaints"
        assert request.headers["Authorization"] == "Bearer key"
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(0.001)
            return self._answer(request.headers["Idempotency-Key"], json.loads(request.content))
        finally:
            self._at_once -= 1

    def _answer(self, key: str, body: dict[str, Any]) -> httpx.Response:
        self.posts[key] += 1
        if (answer := self.before(key, body)) is not None:
            return answer
        replayed = key in self.bodies
        if replayed and self.bodies[key] != body:
            return httpx.Response(422, json={"code": "idempotency_key_reused", "detail": "Another body."})
        if not replayed and any(other["channel_ref"] == body["channel_ref"] for other in self.bodies.values()):
            return httpx.Response(409, json={"code": "channel_ref_conflict", "detail": "Another body."})
        self.bodies[key] = body
        return httpx.Response(201, json={"id": key}, headers={"Idempotency-Replayed": "true"} if replayed else {})


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


def a_row(number: int = 1, **changes: str) -> dict[str, str]:
    row = dict.fromkeys(HEADINGS, "")
    row |= {
        "Date received": "2024-09-03",
        "Product": "Debt collection",
        "Issue": "Attempts to collect debt not owed",
        "Sub-issue": "Debt is not yours",
        "Consumer complaint narrative": f"They keep calling me about debt number {number}.",
        "Company": "Invented Collectors, Inc.",
        "State": "OH",
        "ZIP code": "44113",
        "Submitted via": "Web",
        "Timely response?": "Yes",
        "Complaint ID": str(1_000_000 + number),
    }
    return row | changes


def write(path: Path, rows: list[dict[str, str]], *, headings: Callable[[str], str] = str, **extra: str) -> Path:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow([headings(name) for name in HEADINGS] + list(extra))
    lines.writerows([row[name] for name in HEADINGS] + list(extra.values()) for row in rows)
    packed = text.getvalue().encode()
    path.write_bytes(gzip.compress(packed) if path.suffix == ".gz" else packed)
    return path


@pytest.fixture
def bring(tmp_path: Path, desk: FakeDesk) -> Callable[..., Any]:
    async def run(path: Path, **options: Any) -> ImportReport:
        console = Console(file=io.StringIO())
        chosen: dict[str, Any] = {"now": NOW, "patience": QUICK, "transport": desk} | options
        return await run_import(
            Cfpb(), path, "http://desk/intake", "key", home=tmp_path / "home", console=console, **chosen
        )

    return run


def rejected(report: ImportReport) -> list[dict[str, str]]:
    assert report.rejects
    with report.rejects.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


async def test_a_row_becomes_a_complaint(tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]) -> None:
    told = 'First line.\n\n"Quoted", second line\r\nthird: XXXX; é 投訴'
    row = a_row(7, **{"Consumer complaint narrative": told, "Tags": "Older American", "Consumer disputed?": "N/A"})
    report = await bring(write(tmp_path / "c.csv", [row], source="a further column"))
    assert (report.rows, report.sent, report.rejected, report.exit_code) == (1, 1, 0, 0)
    assert report.rejects is None
    assert desk.bodies == {
        "cfpb-1000007": {
            "channel": "web_form",
            "narrative": told,
            "complainant": {"anonymous": True},
            "channel_ref": "cfpb-1000007",
            "product": "Debt collection",
            "jurisdiction": "us-cfpb",
            "language": "en",
            "received_at": "2024-09-03T16:00:00+00:00",
            "detail": {
                "issue": "Attempts to collect debt not owed",
                "sub_issue": "Debt is not yours",
                "company": "Invented Collectors, Inc.",
                "state": "OH",
                "tags": "Older American",
                "timely": "Yes",
                "submitted_via": "Web",
            },
        }
    }


@pytest.mark.parametrize(
    ("via", "channel", "detail"),
    [
        ("Web", "web_form", {"submitted_via": "Web"}),
        ("Referral", "regulator", {"submitted_via": "Referral"}),
        ("Web Referral", "regulator", {"submitted_via": "Web Referral"}),
        ("Phone", "phone", {"submitted_via": "Phone"}),
        ("Postal mail", "letter", {"submitted_via": "Postal mail"}),
        ("Fax", "letter", {"submitted_via": "Fax", "medium": "fax"}),
        ("Email", "email", {"submitted_via": "Email"}),
        ("Carrier pigeon", "web_form", {"submitted_via": "Carrier pigeon"}),
        ("", "web_form", {"submitted_via": "not stated"}),
    ],
)
async def test_channels(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any], via: str, channel: str, detail: dict[str, str]
) -> None:
    await bring(write(tmp_path / "c.csv", [a_row(1, **{"Submitted via": via})]))
    [body] = desk.bodies.values()
    assert body["channel"] == channel
    assert detail.items() <= body["detail"].items()
    assert ("medium" in body["detail"]) == ("medium" in detail)


async def test_without_a_narrative_the_issue_speaks(tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]) -> None:
    none = {"Consumer complaint narrative": ""}
    report = await bring(
        write(
            tmp_path / "c.csv",
            [
                a_row(1, **none),
                a_row(2, **none, **{"Sub-issue": "None"}),
                a_row(3, **none, Issue="", **{"Sub-issue": ""}),
            ],
        )
    )
    told = {key: body["narrative"] for key, body in desk.bodies.items()}
    assert told == {
        "cfpb-1000001": "Attempts to collect debt not owed. Debt is not yours",
        "cfpb-1000002": "Attempts to collect debt not owed",
    }
    assert report.codes == {"narrative_missing": 1}


async def test_a_row_without_an_id_or_a_date_is_a_complaint_too(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    bare = {"Complaint ID": "N/A", "Date received": ""}
    report = await bring(write(tmp_path / "c.csv", [a_row(1, **bare), a_row(2, **{"Date received": " "}), a_row(3)]))
    assert (report.sent, report.rejected) == (3, 0)
    first, second, third = desk.bodies
    assert re.fullmatch(r"cfpb-row-[0-9a-f]{32}-1", first)
    assert (second, third) == ("cfpb-1000002", "cfpb-1000003")
    assert {key: body["channel_ref"] for key, body in desk.bodies.items()} == {key: key for key in desk.bodies}
    for key in (first, second):  # the desk counts the day on which it heard of it
        assert "received_at" not in desk.bodies[key]
        assert desk.bodies[key]["detail"]["date_received"] == "not stated"
    assert desk.bodies[third]["received_at"]
    assert "date_received" not in desk.bodies[third]["detail"]


async def test_identical_rows_without_an_id_are_complaints_of_their_own_and_resume_as_such(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    bare = {"Complaint ID": "", "Date received": ""}
    rows = [a_row(n // 4, **bare) if n % 2 else a_row(n) for n in range(200)]
    path = write(tmp_path / "c.csv", rows)

    def interrupt(key: str, body: dict[str, Any]) -> None:
        if desk.posts.total() == 61:
            os.kill(os.getpid(), signal.SIGTERM)

    desk.before = interrupt
    first = await bring(path)
    assert first.interrupted
    second = await bring(path)
    assert (second.sent, second.already_there, second.rejected) == (200 - first.sent, first.sent, 0)
    assert len(desk.bodies) == 200
    assert max(desk.posts.values()) == 1
    assert Counter(key[-2:] for key in desk.bodies if "row" in key) == {"-1": 50, "-2": 50}
    second.checkpoint.unlink()
    third = await bring(path)  # without a checkpoint the keys still hold
    assert (third.sent, third.already_there) == (0, 200)


async def test_a_product_too_long_for_the_desk_goes_by_its_later_name(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    older = "Credit reporting, credit repair services, or other personal consumer reports"
    unknown = "A product " + "of many words " * 5
    await bring(write(tmp_path / "c.csv", [a_row(1, Product=older), a_row(2, Product=unknown)]))
    renamed, unnamed = desk.bodies["cfpb-1000001"], desk.bodies["cfpb-1000002"]
    assert renamed["product"] == "Credit reporting or other personal consumer reports"
    assert renamed["detail"]["product"] == older
    assert "product" not in unnamed
    assert unnamed["detail"]["product"] == unknown.strip()


@pytest.mark.parametrize("name", ["c.csv", "c.csv.gz", "packed-by-another-name.csv"])
@pytest.mark.parametrize(
    "headings", [str, str.lower, lambda name: name.lower().replace(" ", "_").replace("?", "")], ids=["Aa", "aa", "a_a"]
)
async def test_plain_or_packed_with_headings_of_any_case(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any], name: str, headings: Callable[[str], str]
) -> None:
    path = write(tmp_path / name, [a_row(n) for n in range(20)], headings=headings)
    if name.startswith("packed"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    report = await bring(path)
    assert report.sent == len(desk.bodies) == 20
    assert all(body["detail"]["timely"] == "Yes" for body in desk.bodies.values())


async def test_rows_that_cannot_be_complaints_are_rejected_with_reason(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    told = "A secret that belongs in no report."
    rows = [
        a_row(1),
        a_row(2, **{"Complaint ID": "", "Date received": "soon"}),
        a_row(3, **{"Complaint ID": told}),
        a_row(1, **{"Consumer complaint narrative": told}),
        a_row(5, **{"Date received": "yesterday"}),
        a_row(6, **{"Date received": "2024-02-30"}),
        a_row(7, **{"Complaint ID": "-"}),
        a_row(8, **{"Date received": "2026-03-06"}),
        a_row(9, **{"Date received": "1999-01-01"}),
        a_row(10, **{"Consumer complaint narrative": told + "x" * 20_000}),
        a_row(11, **{"Date received": "09/30/2024"}),
        a_row(12, **{"Consumer complaint narrative": "y" * 20_000}),
    ]
    path = write(tmp_path / "c.csv", rows)
    with path.open("ab") as opened:
        opened.write(b"2024-09-03,too,few,cells\r\n")
        cells = dict.fromkeys(HEADINGS, "x") | {"Complaint ID": "99", "Date received": "2024-09-03"}
        opened.write(",".join(cells.values()).encode() + b"\xff\r\n".replace(b"\xff", b"") + b"\r\n")
        cells["Complaint ID"], cells["Company"] = "98", "Caf?"
        opened.write(",".join(cells.values()).encode().replace(b"?", b"\xe9") + b"\r\n")
    report = await bring(path)
    assert {(line["row"], line["complaint_id"], line["code"]) for line in rejected(report)} == {
        ("2", "", "date_bad"),
        ("3", "", "complaint_id_bad"),
        ("4", "1000001", "complaint_id_duplicate"),
        ("5", "1000005", "date_bad"),
        ("6", "1000006", "date_bad"),
        ("7", "", "complaint_id_bad"),
        ("8", "1000008", "date_bad"),
        ("9", "1000009", "date_bad"),
        ("10", "1000010", "narrative_too_long"),
        ("13", "", "wrong_width"),
        ("15", "98", "not_utf8"),
    }
    assert set(desk.bodies) == {"cfpb-1000001", "cfpb-1000011", "cfpb-1000012", "cfpb-99"}
    assert desk.bodies["cfpb-1000011"]["received_at"] == "2024-09-30T16:00:00+00:00"
    assert len(desk.bodies["cfpb-1000012"]["narrative"]) == 20_000
    assert report.rejects is not None
    assert "secret" not in report.rejects.read_text()
    assert report.exit_code == 0


async def test_what_the_desk_refuses_is_reported_and_never_quoted(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    def refuse(key: str, body: dict[str, Any]) -> httpx.Response | None:
        if key == "cfpb-1000002":
            quoted = f"Not acceptable: {body['narrative']}"
            problem = {"code": "invalid", "detail": "x", "errors": [{"pointer": "/narrative", "detail": quoted}]}
            return httpx.Response(422, json=problem)
        if key == "cfpb-1000003":
            problem = {"code": "invalid", "errors": [{"pointer": "/product", "detail": "Unknown product."}]}
            return httpx.Response(422, json=problem)
        return None

    desk.before = refuse
    path = write(tmp_path / "c.csv", [a_row(n) for n in range(1, 6)])
    report = await bring(path)
    second, third = sorted(rejected(report), key=lambda line: line["row"])
    assert (second["row"], second["code"], second["pointer"]) == ("2", "invalid", "/narrative")
    assert "debt" not in second["reason"]
    assert (third["pointer"], third["reason"]) == ("/product", "Unknown product.")
    assert desk.posts["cfpb-1000002"] == 1  # "this row is wrong" is not tried again ...
    desk.before = lambda key, body: None
    again = await bring(path)  # ... in the same run: a later one may find it mended
    assert (again.sent, again.already_there, again.rejected) == (2, 3, 0)
    assert len(desk.bodies) == 5


async def test_not_now_is_tried_again_with_the_same_key(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    def busy(key: str, body: dict[str, Any]) -> httpx.Response | None:
        match desk.posts[key], int(key[-1]) % 4:
            case 1, 0:
                return httpx.Response(503, headers={"Retry-After": "0"})
            case 1, 1:
                return httpx.Response(429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
            case 1, 2:
                raise httpx.ConnectError("reset")
            case ((1 | 2), 3):
                desk.bodies[key] = body  # taken, but the answer is lost on the way
                raise httpx.ReadTimeout("lost")
        return None

    desk.before = busy
    report = await bring(write(tmp_path / "c.csv", [a_row(n) for n in range(40)]))
    assert len(desk.bodies) == 40
    assert report.sent + report.already_there == 40
    assert report.codes == {}


async def test_a_twin_under_way_is_waited_for_but_a_conflict_of_content_is_not(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    def twin(key: str, body: dict[str, Any]) -> httpx.Response | None:
        under_way = key == "cfpb-1000001" and desk.posts[key] == 1
        return httpx.Response(409, json={"code": "request_in_progress"}) if under_way else None

    desk.before = twin
    desk.bodies["another key"] = {"channel_ref": "cfpb-1000002"}
    report = await bring(write(tmp_path / "c.csv", [a_row(n) for n in range(5)]))
    assert (report.sent, report.codes) == (4, {"channel_ref_conflict": 1})
    assert desk.posts["cfpb-1000001"] == 2
    assert desk.posts["cfpb-1000002"] == 1


async def test_interrupted_and_resumed_each_arrives_exactly_once(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    path = write(tmp_path / "c.csv", [a_row(n) for n in range(200)])

    def interrupt(key: str, body: dict[str, Any]) -> None:
        if desk.posts.total() == 60:
            os.kill(os.getpid(), signal.SIGTERM)

    desk.before = interrupt
    first = await bring(path)
    assert first.interrupted
    assert first.exit_code == 130
    assert 60 <= first.sent < 100
    saved = json.loads(first.checkpoint.read_text())
    assert sum(end - start + 1 for start, end in saved["done"]) == first.sent == len(desk.bodies)

    second = await bring(path)
    assert (second.sent, second.already_there) == (200 - first.sent, first.sent)
    assert second.exit_code == 0
    assert len(desk.bodies) == 200
    assert max(desk.posts.values()) == 1

    third = await bring(path)
    assert (third.sent, third.already_there) == (0, 200)
    assert desk.posts.total() == 200


async def test_a_lost_or_damaged_checkpoint_does_no_harm(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    path = write(tmp_path / "c.csv", [a_row(n) for n in range(30)])
    first = await bring(path, limit=20)
    assert (first.rows, first.sent) == (20, 20)
    first.checkpoint.write_text("{")
    second = await bring(path)
    assert (second.sent, second.already_there) == (10, 20)
    assert len(desk.bodies) == 30


async def test_a_row_counts_as_done_only_after_the_answer(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    """Row 5 hangs while the desk takes the others; a second signal drops it, and the next run sends it."""
    path = write(tmp_path / "c.csv", [a_row(n) for n in range(10)])
    taken = asyncio.Event()
    usual = desk.handle_async_request

    async def hang(request: httpx.Request) -> httpx.Response:
        if request.headers.get("Idempotency-Key") == "cfpb-1000005":
            await asyncio.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            await taken.wait()
        return await usual(request)

    desk.handle_async_request = hang  # type: ignore[method-assign]
    first = await bring(path)
    assert first.interrupted
    assert json.loads(first.checkpoint.read_text())["done"] == [[1, 5], [7, 10]]
    desk.handle_async_request = usual  # type: ignore[method-assign]
    assert (await bring(path)).sent == 1
    assert len(desk.bodies) == 10


async def test_another_desk_starts_from_the_beginning(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", [a_row(n) for n in range(5)])
    counts: Counter[str] = Counter()

    def take(request: httpx.Request) -> httpx.Response:
        counts[request.url.host] += request.method == "POST"
        return httpx.Response(201, json={})

    for host in ("one", "two", "one"):
        await run_import(
            Cfpb(),
            path,
            f"http://{host}/intake",
            "key",
            home=tmp_path,
            console=Console(file=io.StringIO()),
            transport=httpx.MockTransport(take),
        )
    assert counts == {"one": 10, "two": 5}


async def test_no_more_under_way_than_asked(tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]) -> None:
    await bring(write(tmp_path / "c.csv", [a_row(n) for n in range(100)]), concurrency=4)
    assert desk.most_at_once == 4


async def test_a_changed_row_is_reported_not_sent_twice(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    await bring(write(tmp_path / "monday.csv", [a_row(1), a_row(2)]))
    report = await bring(write(tmp_path / "tuesday.csv", [a_row(1, Company="Renamed"), a_row(2), a_row(3)]))
    assert (report.sent, report.already_there, report.rejected) == (1, 1, 1)
    assert [line["code"] for line in rejected(report)] == ["idempotency_key_reused"]
    assert len(desk.bodies) == 3


@pytest.mark.parametrize(
    ("status", "told"), [(401, "does not accept this key"), (403, "complaints:import"), (404, "no complaint desk")]
)
async def test_a_wrong_key_or_address_stops_the_import(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any], status: int, told: str
) -> None:
    desk.before = lambda key, body: httpx.Response(status, json={})
    report = await bring(write(tmp_path / "c.csv", [a_row(n) for n in range(100)]))
    assert report.exit_code == 1
    assert told in report.trouble
    assert desk.posts.total() <= 16
    assert report.rejected == 0


async def test_a_desk_that_stays_away_stops_the_import(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    desk.before = lambda key, body: httpx.Response(503) if desk.posts.total() > 20 else None
    path = write(tmp_path / "c.csv", [a_row(n) for n in range(100)])
    report = await bring(path, patience=Patience(first=0.001, longest=0.01, total=0.1))
    assert report.exit_code == 1
    assert report.sent == 20
    desk.before = lambda key, body: None
    assert (await bring(path)).sent == 80
    assert len(desk.bodies) == 100


async def test_a_row_the_desk_chokes_on_does_not_stop_the_rest(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    desk.before = lambda key, body: httpx.Response(500) if key == "cfpb-1000003" else None
    report = await bring(write(tmp_path / "c.csv", [a_row(n) for n in range(10)]))
    assert (report.sent, report.codes) == (9, {"http_500": 1})


async def test_files_that_are_not_the_bureaus_are_told_plainly(
    tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("name,colour\nx,blue\n")
    report = await bring(other)
    assert report.exit_code == 1
    assert "complaint_id" in report.trouble
    assert (await bring(tmp_path / "nowhere.csv")).exit_code == 1
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert (await bring(empty)).exit_code == 1
    whole = write(tmp_path / "whole.csv.gz", [a_row(n) for n in range(2_000)]).read_bytes()
    short = tmp_path / "short.csv.gz"
    short.write_bytes(whole[: len(whole) // 2])
    report = await bring(short)
    assert report.exit_code == 1
    assert "ends too soon" in report.trouble
    assert report.sent == len(desk.bodies) > 0


async def test_a_very_long_field_is_no_trouble(tmp_path: Path, desk: FakeDesk, bring: Callable[..., Any]) -> None:
    rows = [a_row(1, **{"Consumer complaint narrative": "z" * 300_000}), a_row(2)]
    report = await bring(write(tmp_path / "c.csv", rows))
    assert report.codes == {"narrative_too_long": 1}
    assert report.sent == 1


@given(st.lists(st.integers(1, 60)))
def test_a_row_set_is_a_set(rows: list[int]) -> None:
    kept = RowSet()
    for row in rows:
        kept.add(row)
    ranges = list(kept.ranges())
    assert len(kept) == len(set(rows))
    assert {row for row in range(62) if row in kept} == set(rows)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))
    assert list(RowSet(ranges).ranges()) == ranges


@given(st.lists(st.integers(0, 10**12 - 1) | st.integers(0, 40_000)))
def test_seen_ids_tells_the_first_from_the_rest(numbers: list[int]) -> None:
    seen = SeenIds()
    met: set[int] = set()
    for number in numbers:
        assert seen.add(str(number)) == (number not in met)
        met.add(number)


@given(st.lists(st.lists(st.text(max_size=3), min_size=2, max_size=2), max_size=30))
def test_stand_ins_tell_rows_apart_by_their_cells_and_repeats_by_their_number(rows: list[list[str]]) -> None:
    names = list(map(StandIns().name, rows))
    assert len(set(names)) == len(rows)
    assert names == list(map(StandIns().name, rows))
    by_hash = {(tuple(cells), name.rsplit("-", 1)[0]) for cells, name in zip(rows, names, strict=True)}
    assert len(by_hash) == len({tuple(cells) for cells in rows}) == len({kept for _, kept in by_hash})
    for cells in rows:
        numbers = [name.rsplit("-", 1)[1] for other, name in zip(rows, names, strict=True) if other == cells]
        assert numbers == [str(n + 1) for n in range(len(numbers))]
