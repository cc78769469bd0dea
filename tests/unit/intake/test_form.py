"""The form's rules: origins, looks that everybody can read, proof of work, sessions."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.form import (
    LEAST_TIME,
    SESSION_FOR,
    Look,
    LookInvalid,
    LooksAutomatic,
    OriginInvalid,
    Session,
    SessionEnded,
    check_human,
    check_look,
    check_origin,
    contrast,
    is_solved,
)

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
STATIC = Path(__file__).parents[3] / "services" / "intake" / "static"


def test_script_and_style_are_under_30_kilobytes_in_all() -> None:
    assert sum((STATIC / name).stat().st_size for name in ("embed.js", "form.js", "form.css")) < 30_000


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://www.bank.example", "https://www.bank.example"),
        ("https://WWW.Bank.example/", "https://www.bank.example"),
        ("https://bank.example:443", "https://bank.example"),
        ("https://bank.example:8443", "https://bank.example:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(typed: str, kept: str) -> None:
    assert check_origin(typed, "/origins/0") == kept


@pytest.mark.parametrize(
    "typed",
    [
        "http://bank.example",
        "bank.example",
        "https://",
        "https://*",
        "https://*.bank.example",
        "https://bank.example/path",
        "https://bank.example?x",
        "https://user@bank.example",
        "https://bank.example:port",
        "https://bank.example; script-src *",
        "https://bank.example 'unsafe-inline'",
        "javascript://bank.example",
        "null",
        "",
    ],
)
def test_what_is_no_origin_is_refused_with_its_place(typed: str) -> None:
    with pytest.raises(OriginInvalid) as raised:
        check_origin(typed, "/origins/3")
    assert raised.value.errors[0].pointer == "/origins/3"


@given(st.text(max_size=60))
def test_no_origin_can_bring_anything_else_into_the_policy(typed: str) -> None:
    try:
        found = check_origin(typed, "/origins/0")
    except OriginInvalid:
        return
    assert not set(found) & set(" ;,'\"*\r\n\t")


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the grey that just fails
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)  # and the one that just passes


@pytest.mark.parametrize(
    "look",
    [
        Look("Bank", colour="#777777"),
        Look("Bank", colour="#ffff00"),
        Look("Bank", colour="red"),
        Look("Bank", colour="#12345}"),
        Look("Bank", logo="http://bank.example/logo.png"),
        Look("Bank", logo="javascript:alert(1)"),
        Look("Bank", logo="https://bank.example; x/logo.png"),
    ],
)
def test_a_look_that_cannot_be_read_or_shown_is_refused(look: Look) -> None:
    with pytest.raises(LookInvalid):
        check_look(look)


def test_a_good_look_passes() -> None:
    check_look(Look("Bank", "https://bank.example/logo.png", "#767676"))


def test_a_session_lasts_two_hours_and_no_longer() -> None:
    session = Session("pk_1", "seed", NOW)
    session.check(now=NOW)
    session.check(now=NOW + SESSION_FOR)
    for moment in (NOW - timedelta(seconds=1), NOW + SESSION_FOR + timedelta(seconds=1)):
        with pytest.raises(SessionEnded):
            session.check(now=moment)


def test_what_is_too_quick_or_fills_the_trap_looks_automatic() -> None:
    session = Session("pk_1", "seed", NOW)
    check_human(session, "", now=NOW + LEAST_TIME)
    with pytest.raises(LooksAutomatic):
        check_human(session, "", now=NOW + LEAST_TIME - timedelta(milliseconds=1))
    with pytest.raises(LooksAutomatic):
        check_human(session, "http://spam.example", now=NOW + timedelta(minutes=5))


@given(st.text("abcdef", min_size=1), st.text("0123", min_size=1), st.integers(0, 6))
def test_a_proof_is_for_one_session_and_one_key(seed: str, key: str, bits: int) -> None:
    nonce = next(str(n) for n in range(100_000) if is_solved(seed, key, str(n), bits))
    digest = hashlib.sha256(f"{seed}:{key}:{nonce}".encode()).digest()
    assert f"{int.from_bytes(digest):0256b}".startswith("0" * bits)
    assert not is_solved(seed, key, nonce, 256)


def test_a_proof_fits_nothing_else() -> None:
    nonce = next(str(n) for n in range(1_000_000) if is_solved("seed", "key", str(n), 12))
    assert not is_solved("other", "key", nonce, 12)
    assert not is_solved("seed", "other", nonce, 12)
