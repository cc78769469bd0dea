"""Identifiers that sort as they were made, and references that notice a slip of the pen."""

import re
import threading
import time
from datetime import date
from uuid import RFC_4122, UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared import ids
from shared.ids import normalise_reference, reference, uuid7

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXY"


def test_uuids_are_version_seven_rise_strictly_and_tell_the_time() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(20_000)]
    after = time.time_ns() // 1_000_000

    assert made == sorted(made)
    assert len(set(made)) == len(made)
    for text in (made[0], made[-1]):
        found = UUID(text)
        assert (found.version, found.variant, str(found)) == (7, RFC_4122, text)
        assert before <= found.int >> 80 <= after + 5


def test_they_rise_even_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_000_000_000)
    assert first < uuid7() < uuid7()


def test_threads_make_no_two_alike() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(uuid7() for _ in range(2_000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8_000


@given(st.dates())
def test_a_reference_has_its_shape_and_is_its_own_normal_form(day: date) -> None:
    made = reference(day)
    assert re.fullmatch(rf"{day:%y%m%d}-[{ALPHABET}]{{4}}-[{ALPHABET}]{{5}}", made)
    assert normalise_reference(made) == made


def _with_its_check_character(day: object, body: str) -> str:
    (fitting,) = [found for c in ALPHABET if (found := normalise_reference(f"{day:%y%m%d}{body}{c}"))]
    return fitting


references = st.builds(_with_its_check_character, st.dates(), st.text(ALPHABET, min_size=8, max_size=8))


@given(references, st.integers(0, 14), st.sampled_from(ALPHABET))
def test_every_single_substitution_is_noticed(made: str, place: int, other: str) -> None:
    plain = made.replace("-", "")
    assume(plain[place] != other)
    slipped = plain[:place] + other + plain[place + 1 :]
    assert normalise_reference(slipped) is None


@given(references, st.integers(0, 13))
def test_every_swap_of_neighbours_is_noticed(made: str, place: int) -> None:
    plain = made.replace("-", "")
    assume(plain[place] != plain[place + 1])
    swapped = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
    assert normalise_reference(swapped) is None


@given(references, st.data())
def test_it_is_read_as_people_write_it(made: str, data: st.DataObject) -> None:
    """In small letters, with other separators, and with the letters that look like digits."""
    look_alike = {"0": "0Oo", "1": "1IiLl", "2": "2Zz", "V": "VvUu"}
    typed = "".join(data.draw(st.sampled_from(look_alike.get(c, c + c.lower()))) for c in made if c != "-")
    gap = data.draw(st.sampled_from(["", " ", "-", "–", " - "]))
    assert normalise_reference(f" {typed[:6]}{gap}{typed[6:10]}{gap}{typed[10:]}. ") == made


@given(st.text(max_size=40))
def test_any_other_text_is_none(text: str) -> None:
    found = normalise_reference(text)
    assert found is None or re.fullmatch(rf"[{ALPHABET}]{{6}}-[{ALPHABET}]{{4}}-[{ALPHABET}]{{5}}", found)
