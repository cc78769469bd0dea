"""Pages of surveys: opened by managers, answered by whoever has the link, read without telling on anybody."""

import re
from typing import Any

from sqlalchemy import select

from services.reporting import store
from services.reporting.api.limits import Strangers
from services.reporting.store.surveys import RESPONSE
from tests.component.reporting.test_improvement_pages import HTML, LANGUAGES, SQLITE, signed_in
from tests.component.reporting.test_surveys_api import CUSTOMERS, STAFF, define, on

OPENED = {"title": "Spring", "kind": "staff", "opens_on": "2025-06-01", "closes_on": "2025-07-31", "invited": "40"}


@LANGUAGES
async def test_a_survey_is_opened_by_the_form_and_answered_by_its_link(bench: Any, language: str) -> None:
    async with await signed_in(bench, "manager") as client:
        sent = await client.post("/surveys", data=OPENED)
        assert (sent.status_code, sent.headers["location"]) == (303, "/surveys?kept=1#listed")
        page = (await client.get(f"/surveys?lang={language}")).text
        link = re.search(r'readonly value="http://reporting.test(/surveys/[^"]+)"', page)
        assert link is not None
        (made,) = (await client.get("/v1/surveys")).json()["items"]
    assert [q["aspect"] for q in made["questions"]] == ["overall", "training", "tools", "support", None]
    texts = [set(q["text"].values()) for q in made["questions"]]
    assert all(len(text) == 3 for text in texts), "in three languages"
    async with await bench.client() as anybody:
        anybody.headers.update(HTML)
        form = await anybody.get(f"{link.group(1)}?lang={language}")
        assert form.status_code == 200
        assert made["questions"][0]["text"][language] in form.text
        assert "<script" not in form.text
        assert 'aria-label="Services"' not in form.text, "no way into the desk"
        submission = re.search(r'name="submission" value="([0-9a-f-]{36})"', form.text)
        assert submission is not None
        filled = {
            "submission": submission.group(1),
            "rating-overall": "2",
            "words": "Too\r\nmuch",
            "department": "cards",
        }
        for _ in range(2):  # pressed twice, kept once
            answered = await anybody.post(f"{link.group(1)}?lang={language}", data=filled)
            assert answered.status_code == 303
        thanks = await anybody.get(answered.headers["location"])
        assert thanks.status_code == 200
        assert f'lang="{language}"' in thanks.text
    async with bench.db.reading() as session:
        (row,) = (await session.execute(select(RESPONSE))).mappings().all()
        actions = (await session.scalars(select(store.tables.audit.c.action))).all()
    assert (row["words"], row["department"], str(row["day"])) == ("Too\nmuch", "cards", "2025-06-01")
    assert not [action for action in actions if action.startswith("survey.answer")]


@SQLITE
async def test_the_form_says_what_is_wrong_and_when_it_is_closed(bench: Any) -> None:
    _, token = await define(bench, CUSTOMERS)
    async with await bench.client() as anybody:
        anybody.headers.update(HTML)
        for wrong in ({"words": " "}, {"rating-overall": "6"}, {"rating-fun": "3"}, {"rating-overall": "x"}):
            answer = await anybody.post(f"/surveys/{token}?lang=en", data=wrong)
            assert answer.status_code == 422, wrong
            assert 'role="alert"' in answer.text
        branch = await anybody.get(f"/surveys/{token}?lang=en&branch=central")
        assert '<input type="hidden" name="branch" value="central">' in branch.text
        assert (await anybody.get("/surveys/nothing")).status_code == 404
        assert (await anybody.post("/surveys/nothing", data={"words": "x"})).status_code == 404
        bench.app.state.survey_strangers = Strangers("1/minute")
        assert (await anybody.post(f"/surveys/{token}", data={"rating-overall": "3"})).status_code == 303
        assert (await anybody.post(f"/surveys/{token}", data={"rating-overall": "3"})).status_code == 429
        del bench.app.state.survey_strangers
        on(bench, "2025-07-01")
        closed = await anybody.post(f"/surveys/{token}?lang=en", data={"rating-overall": "3"})
        assert closed.status_code == 409
        assert "takes no answers today" in closed.text
        assert "This survey is open from" in closed.text


@LANGUAGES
async def test_results_show_intervals_and_that_small_groups_are_hidden(bench: Any, language: str) -> None:
    id, token = await define(bench, CUSTOMERS)
    async with await bench.client() as anybody:
        for branch, size in {"central": 9, "north": 7, "south": 6, "tiny": 2}.items():
            for n in range(size):
                body = {"ratings": {"overall": 1 + n % 5, "staff": 4}, "branch": branch, "words": "Long queues again"}
                assert (await anybody.post(f"/v1/survey-forms/{token}/responses", json=body)).status_code == 201
    async with await signed_in(bench, "auditor") as client:
        page = (await client.get(f"/surveys/{id}/results?by=branch&lang={language}")).text
        told = (await client.get(f"/v1/surveys/{id}/results?by=branch")).json()
        hidden = sum(group["answers"] is None for group in told["groups"])
        assert hidden
        word = {"zh-Hant": "不顯示", "zh-Hans": "不显示", "en": "hidden"}[language]
        assert page.count(f"<td>{word}</td>") == hidden
        assert "60.0%" in page, "24 of 40 answered"
        pictures = re.findall(r'<img class="picture" src="([^"]+)"', page)
        assert len(pictures) == 3
        for picture in pictures:
            assert (await client.get(picture.replace("&amp;", "&"))).text.startswith("<svg")
        assert (await client.get(f"/surveys/{id}/groups.svg")).status_code == 404
        assert "60.0%" in (await client.get(f"/surveys?lang={language}")).text


@SQLITE
async def test_what_staff_say_is_shown_once_it_is_over(bench: Any) -> None:
    id, token = await define(bench, STAFF)
    async with await bench.client() as anybody, await signed_in(bench, "manager") as client:
        for n in range(8):
            body = {"ratings": {"overall": 3 + n % 3}}
            assert (await anybody.post(f"/v1/survey-forms/{token}/responses", json=body)).status_code == 201
        said = "What staff answer is shown once the survey is over."
        assert said in (await client.get("/surveys?lang=en")).text
        assert "8 answers" not in (await client.get("/surveys?lang=en")).text
        assert said in (await client.get(f"/surveys/{id}/results?lang=en")).text
        assert (await client.get(f"/surveys/{id}/aspects.svg")).status_code == 409
        on(bench, "2025-07-01")
        assert "8 answers" in (await client.get("/surveys?lang=en")).text
        page = (await client.get(f"/surveys/{id}/results?lang=en&by=branch")).text
        assert said not in page
        assert "groups.svg" not in page, "of staff the branch is not asked"


async def test_agents_and_officers_write_answers_down(bench: Any) -> None:
    id, _ = await define(bench, CUSTOMERS)
    async with await signed_in(bench, "agent") as client:
        page = (await client.get("/surveys?lang=en")).text
        assert f"/surveys/{id}/answers" in page
        assert "readonly" not in page, "the link is for those who send it"
        assert f"/surveys/{id}/results" not in page
        assert 'class="tabs"' not in page, "the other pages are not open to agents"
        assert (await client.get(f"/surveys/{id}/results")).status_code == 403
        assert (await client.post("/surveys", data=OPENED)).status_code == 403
        filled = {"channel": "phone", "rating-overall": "4", "branch": "central"}
        sent = await client.post(f"/surveys/{id}/answers", data=filled)
        assert (sent.status_code, sent.headers["location"]) == (303, f"/surveys/{id}/answers?kept=1")
        assert "This has been kept." in (await client.get(f"/surveys/{id}/answers?kept=1&lang=en")).text
        for wrong in ({"channel": "pigeon"}, {"branch": "Central branch"}, {"rating-overall": ""}):
            assert (await client.post(f"/surveys/{id}/answers", data=filled | wrong)).status_code == 422
    async with await signed_in(bench, "manager") as client:
        assert (await client.post(f"/surveys/{id}/answers", data=filled)).status_code == 403
        wrong = await client.post("/surveys?lang=en", data=OPENED | {"closes_on": "2025-05-01", "kind": "pets"})
        assert wrong.status_code == 422
        assert 'id="survey-kind-wrong"' in wrong.text
        told = (await client.get(f"/v1/surveys/{id}/results")).json()
    assert told["channels"] == {"phone": 1}


def test_the_standard_questions_rate_each_aspect_once() -> None:
    from services.reporting.api.survey_pages import KINDS, QUESTIONS

    for kind in KINDS:
        aspects = [aspect for aspect, _ in QUESTIONS[kind]]
        assert len(set(aspects)) == len(aspects)
