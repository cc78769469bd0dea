"""How each channel's own shape becomes a complaint."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.intake.channels import branch, letter, phone, regulator, shape, social, web_chat
from services.intake.channels.shape import LATE_LIMIT, Reception, Turn, told_by_customer, written_language
from services.intake.domain.complaint import CHANNELS, NARRATIVE_LIMIT, Submission, check_times
from shared.errors import Invalid

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Hong_Kong")
RECEPTION = Reception(ZONE, NOW)
ADAPTERS: dict[str, tuple[type[shape.Report], Any, Any]] = {
    "phone": (phone.PhoneIn, phone.read, phone.EXAMPLE),
    "web_chat": (web_chat.WebChatIn, web_chat.read, web_chat.EXAMPLE),
    "letter": (letter.LetterIn, letter.read, letter.EXAMPLE),
    "branch": (branch.BranchIn, branch.read, branch.EXAMPLE),
    "social": (social.SocialIn, social.read, social.EXAMPLE),
    "regulator": (regulator.RegulatorIn, regulator.read, regulator.EXAMPLE),
}
_words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=50)
_turns = st.lists(
    st.builds(lambda role, text: Turn(role=role, text=text), st.sampled_from(["customer", "agent", "bot"]), _words),
    max_size=8,
)


def _read(channel: str, reception: Reception = RECEPTION, **changes: Any) -> Submission:
    model, read, example = ADAPTERS[channel]
    body = {k: v for k, v in (example | changes).items() if v is not ...}
    found: Submission = read(model.model_validate(body), reception)
    return found


def _refusal(channel: str, reception: Reception = RECEPTION, **changes: Any) -> dict[str, str]:
    """Pointer -> code of what is refused."""
    with pytest.raises(Invalid) as caught:
        _read(channel, reception, **changes)
    return {e.pointer: e.code for e in caught.value.errors}


@pytest.mark.parametrize("channel", sorted(ADAPTERS))
def test_the_documented_example_is_one_that_is_taken(channel: str) -> None:
    model, _, example = ADAPTERS[channel]
    assert model.model_json_schema()["examples"] == [example]
    found = _read(channel)
    check_times(found, now=NOW)
    assert found.channel == channel
    assert channel in CHANNELS
    assert found.channel_ref, "the example shows the second way by which a repeat is known"
    common = set(shape.Report.model_fields) - {"transaction_ref"}
    assert set(found.facts) == {k for k in example if k not in common}, "its own fields, and no other, are facts"


@given(turns=_turns)
def test_a_narrative_from_a_transcript_holds_every_word_of_the_customer_and_nobody_elses(turns: list[Turn]) -> None:
    told = told_by_customer(turns)
    said = [t.text.strip() for t in turns if t.role == "customer" and t.text.strip()]
    assert told == "\n".join(said)
    body = [t.model_dump(exclude_none=True) for t in turns]
    if said:
        found = _read("phone", transcript=body)
        assert found.narrative == told
        assert found.facts["transcript"] == body, "the conversation is kept whole and in order"
    else:
        assert _refusal("phone", transcript=body) == {"/narrative": "narrative_missing"}


def test_a_long_conversation_is_cut_to_a_narrative_and_kept_whole_in_the_facts() -> None:
    turns = [{"role": "customer", "text": "費" * 7000} for _ in range(3)]
    found = _read("phone", transcript=turns)
    assert len(found.narrative) == NARRATIVE_LIMIT
    assert found.narrative.endswith("…")
    assert sum(len(t["text"]) for t in found.facts["transcript"]) == 21_000


@given(days=st.integers(0, 20_000), hour=st.integers(0, 23), may_import=st.booleans())
def test_a_letter_counts_from_its_day_of_receipt(days: int, hour: int, may_import: bool) -> None:
    now = NOW.replace(hour=hour)
    today = now.astimezone(ZONE).date()
    day = today - timedelta(days=days)
    reception = Reception(ZONE, now, may_import=may_import)
    if day.year < 1990 or (days > LATE_LIMIT.days and not may_import):
        assert _refusal("letter", reception, received_on=day.isoformat()) == {"/received_on": "too_long_ago"}
        return
    found = _read("letter", reception, received_on=day.isoformat())
    assert found.received_at is not None
    assert found.received_at.tzinfo is UTC
    local = found.received_at.astimezone(ZONE)
    assert (local.date(), local.hour, local.minute) == (day, 0, 0)
    assert found.received_at <= now
    assert found.imported == (days > LATE_LIMIT.days)
    check_times(found, now=now)


@given(ahead=st.integers(1, 400), hour=st.integers(0, 23))
def test_a_day_to_come_is_refused_wherever_the_sun_stands(ahead: int, hour: int) -> None:
    now = NOW.replace(hour=hour)
    day = now.astimezone(ZONE).date() + timedelta(days=ahead)
    reception = Reception(ZONE, now, may_import=True)
    assert _refusal("letter", reception, received_on=day.isoformat()) == {"/received_on": "in_the_future"}
    assert _refusal("branch", reception, taken_on=day.isoformat()) == {"/taken_on": "in_the_future"}
    assert _refusal("regulator", reception, received_on=day.isoformat(), due_on=None) == {
        "/received_on": "in_the_future"
    }


def test_a_form_taken_today_counts_from_now_and_one_of_friday_from_friday() -> None:
    assert _read("branch").received_at is None
    assert _read("branch", taken_on=None).received_at is None
    friday = _read("branch", taken_on="2026-11-20")
    assert friday.received_at == datetime(2026, 11, 20, tzinfo=ZONE)
    assert friday.imported is False


@given(day=st.dates(date(2026, 11, 16), date(2036, 12, 31)), zone=st.sampled_from(["Asia/Hong_Kong", "Europe/London"]))
def test_a_bodys_deadline_is_the_last_moment_of_its_day(day: date, zone: str) -> None:
    reception = Reception(ZoneInfo(zone), NOW)
    found = _read("regulator", reception, due_on=day.isoformat()).imposed_due_at
    assert found is not None
    assert found.astimezone(reception.zone).date() == day
    assert (found + timedelta(milliseconds=1)).astimezone(reception.zone).date() == day + timedelta(days=1)


@given(day=st.dates(date(2037, 1, 1), date.max))
def test_no_deadline_is_too_far_ahead_to_be_refused_cleanly(day: date) -> None:
    assert _refusal("regulator", due_on=day.isoformat()) == {"/due_on": "too_far_ahead"}


def test_a_handle_is_personal_with_and_without_its_sign() -> None:
    found = _read("social")
    assert {"@hungry.example", "hungry.example", found.facts["url"]} <= set(found.personal)
    assert found.complainant is not None
    assert found.complainant.identity() is None, "a handle alone makes nobody a customer"


def test_a_callers_number_is_personal_though_it_need_not_be_the_complainants() -> None:
    found = _read("phone")
    assert found.personal == ("+852 5555 0100",)
    assert found.complainant is not None
    assert found.complainant.phone is None


def test_a_representative_is_part_of_the_person_and_no_fact() -> None:
    found = _read("branch")
    assert found.complainant is not None
    assert found.complainant.representative is not None
    assert found.complainant.representative.relation == "parent"
    assert "Wong Parent Example" in found.complainant.words()
    assert "representative" not in found.facts


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("en", "en"), ("en-GB", "en"), ("yue", "zh-Hant"), ("yue-Hans", "zh-Hans"), ("zh-HK", "zh-Hant"),
        ("zh-TW", "zh-Hant"), ("zh-CN", "zh-Hans"), ("cmn-Hans-CN", "zh-Hans"), ("cmn", None), ("zh", None),
        ("nan-TW", "zh-Hant"), ("fil", None), (None, None),
    ],
)  # fmt: skip
def test_the_language_of_a_call_tells_the_script_where_it_can(spoken: str | None, written: str | None) -> None:
    assert written_language(spoken) == written
    assert _read("phone", call_language=spoken).language == written
    assert _read("phone", call_language=spoken, language="en").language == "en", "what is said outright goes first"


@pytest.mark.parametrize(
    ("channel", "changes"),
    [
        ("phone", {"call_id": " "}),
        ("phone", {"caller_number": "anonymous"}),
        ("phone", {"transcript": [{"role": "boss", "text": "x"}]}),
        ("phone", {"transcript": [{"role": "customer", "text": "x", "at": "2026-11-23T10:00:00"}]}),
        ("phone", {"transcript": [{"role": "customer", "text": "x\x00"}]}),
        ("web_chat", {"visitor": {"kind": "staff"}}),
        ("letter", {"received_on": "20.11.2026"}),
        ("branch", {"branch": ""}),
        ("branch", {"representative": {"name": "A", "relation": "parent"}}),
        ("social", {"url": "javascript:alert(1)"}),
        ("social", {"handle": ""}),
        ("regulator", {"body": "the ombudsman"}),
        ("regulator", {"reference": None}),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(channel: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _read(channel, **changes)


def test_an_anonymous_visitor_has_no_name_and_a_customer_has_a_number() -> None:
    named = {"kind": "anonymous", "name": "Somebody"}
    assert _refusal("web_chat", visitor=named) == {"/visitor": "anonymous_with_person"}
    assert _refusal("web_chat", visitor={"kind": "customer"}) == {"/visitor/customer_no": "customer_no_missing"}


@pytest.mark.parametrize("channel", ["phone"])
def test_somebody_must_have_complained(channel: str) -> None:
    assert _refusal(channel, complainant=...) == {"/complainant": "complainant_missing"}
