"""Files that a complainant adds, by the page and by the API."""

import re
from typing import Any

import httpx
import pytest

PDF = b"%PDF-1.7\n" + b"1 0 obj << >> endobj\n" * 20 + b"%%EOF\n"
Mine = dict[str, Any]


@pytest.fixture
async def mine(desk: Any, complaint: Any) -> Mine:
    found: Mine = (await desk.post(complaint())).json()
    return found


async def add(
    desk: Any, mine: Mine, content: bytes = PDF, *, token: str | None = None, name: str = "a.pdf"
) -> httpx.Response:
    headers = {"X-Tracking-Token": mine["tracking"]["token"] if token is None else token}
    headers |= {"Content-Type": "application/pdf", "X-File-Name": name}
    answer: httpx.Response = await desk.http.post(
        f"/v1/track/{mine['reference']}/files", content=content, headers=headers
    )
    return answer


async def seen(desk: Any, mine: Mine) -> dict[str, Any]:
    headers = {"X-Tracking-Token": mine["tracking"]["token"]}
    found: dict[str, Any] = (await desk.http.get(f"/v1/track/{mine['reference']}", headers=headers)).json()
    return found


async def post(
    desk: Any, mine: Mine, *files: tuple[str, bytes], token: str | None = None, **more: str
) -> httpx.Response:
    headers = {"Cookie": f"redress_track={mine['tracking']['token'] if token is None else token}"} | more
    parts = [("file", (name, content, "application/pdf")) for name, content in files]
    answer: httpx.Response = await desk.http.post(
        f"/track/{mine['reference']}/files?lang=en", files=parts or {"other": (None, "x")}, headers=headers
    )
    return answer


async def test_a_file_is_added_told_of_and_given_back(desk: Any, mine: Mine) -> None:
    answer = await add(desk, mine, name="%E6%94%B6.pdf")
    assert answer.status_code == 201, answer.text
    assert [(one["name"], one["state"], one["url"]) for one in answer.json()["items"]] == [
        ("收.pdf", "quarantined", None)
    ]
    await desk.app.state.files.scan()
    view = await seen(desk, mine)
    assert view["messages"][-1]["text"] == "收.pdf"
    (file,) = view["attachments"]
    assert (await desk.http.get(file["url"].removeprefix(desk.app.state.public_url))).content == PDF
    staff = (await desk.get(f"/v1/complaints/{mine['id']}/attachments")).json()["items"]
    assert [one["name"] for one in staff] == ["收.pdf"]


async def test_the_same_file_again_is_not_added_twice(desk: Any, mine: Mine) -> None:
    for _ in range(2):
        assert len((await add(desk, mine)).json()["items"]) == 1
    view = await seen(desk, mine)
    assert (len(view["attachments"]), len(view["messages"])) == (1, 1)


async def test_files_of_others_are_told_of_but_not_opened(desk: Any, mine: Mine) -> None:
    headers = desk.headers("any") | {"Content-Type": "application/pdf", "X-File-Name": "internal.pdf"}
    ticket = (await desk.http.post("/v1/uploads", content=PDF, headers=headers)).json()["ticket"]
    path = f"/v1/complaints/{mine['id']}/attachments"
    assert (await desk.http.post(path, json={"attachments": [ticket]}, headers=desk.headers("officer"))).is_success
    await desk.app.state.files.scan()
    (file,) = (await seen(desk, mine))["attachments"]
    assert (file["state"], file["name"], file["url"]) == ("clean", None, None)


async def test_without_the_token_nothing_is_taken(desk: Any, mine: Mine) -> None:
    assert (await add(desk, mine, token="x")).status_code == 404
    assert (await post(desk, mine, ("a.pdf", PDF), token="x")).status_code == 404
    foreign = await post(desk, mine, ("a.pdf", PDF), **{"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert await desk.scalar("SELECT count(*) FROM attachment") == 0


async def test_the_page_takes_several_and_goes_back_to_the_complaint(desk: Any, mine: Mine) -> None:
    answer = await post(desk, mine, ("a.pdf", PDF), ("收據.pdf", PDF + b"2"))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/track/{mine['reference']}?done=files")
    assert [one["name"] for one in (await seen(desk, mine))["attachments"]] == ["a.pdf", "收據.pdf"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "Choose a file first"),
        ([("a.pdf", PDF), ("b.pdf", b"MZ\x90\x00" * 99)], "cannot take this kind of file"),
        ([(f"{n}.pdf", PDF + bytes([n])) for n in range(11)], "too many files"),
    ],
)
async def test_what_is_wrong_is_said_and_none_is_added(desk: Any, mine: Mine, files: Any, words: str) -> None:
    answer = await post(desk, mine, *files)
    assert answer.status_code == 422
    assert re.search(f'role="alert".*{words}', answer.text, re.S)
    assert (await seen(desk, mine))["attachments"] == []


async def test_a_file_that_is_too_large_is_refused(desk: Any, mine: Mine) -> None:
    most = desk.app.state.settings.form_file_max
    assert (await add(desk, mine, b"x" * (most + 1))).status_code == 413


async def test_a_complaint_has_room_for_fifty(desk: Any, mine: Mine) -> None:
    for n in range(5):
        sent = await post(desk, mine, *((f"{n}-{m}.pdf", PDF + bytes([n, m])) for m in range(10)))
        assert sent.status_code == 303
    assert (await add(desk, mine, PDF + b"one more")).json()["code"] == "too_many_files"
    assert (await add(desk, mine, PDF + bytes([0, 0]))).status_code == 201  # it is there already
