"""Personal data is sealed for one complaint and one purpose, and outlives a change of the bank's keys."""

import base64
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.security.crypto import DataKey, MasterKeys, Undecryptable, development_keys

OLD, NEW, PSEUDONYM = b"o" * 32, b"n" * 32, b"p" * 32
KEYS = MasterKeys({"old": OLD}, pseudonym_key=PSEUDONYM)


@given(plain=st.binary(max_size=500), subject=st.text(min_size=1, max_size=40), purpose=st.text(max_size=20))
def test_what_is_sealed_opens_again_with_the_wrapped_key_alone(plain: bytes, subject: str, purpose: str) -> None:
    key, key_id, wrapped = KEYS.new(subject)
    sealed = key.seal(purpose, plain)
    assert KEYS.unwrap(subject, key_id, wrapped).open(purpose, sealed) == plain
    if len(plain) > 4:
        assert plain not in sealed
    assert key.seal(purpose, plain) != sealed, "no two seals are alike"


def test_it_is_bound_to_its_complaint_and_its_purpose() -> None:
    one, key_id, wrapped = KEYS.new("c-1")
    sealed = one.seal("person", b"who")
    with pytest.raises(Undecryptable):
        one.open("content", sealed)
    with pytest.raises(Undecryptable):
        DataKey(one.raw, "c-2").open("person", sealed)
    with pytest.raises(Undecryptable):
        KEYS.new("c-1")[0].open("person", sealed)
    with pytest.raises(Undecryptable):
        KEYS.unwrap("c-2", key_id, wrapped)


@given(data=st.data(), plain=st.binary(min_size=1, max_size=60))
def test_every_changed_bit_and_every_cut_is_noticed(data: st.DataObject, plain: bytes) -> None:
    key, key_id, wrapped = KEYS.new("c-1")
    sealed = key.seal("person", plain)
    place, bit = data.draw(st.integers(0, len(sealed) - 1)), data.draw(st.integers(0, 7))
    with pytest.raises(Undecryptable):
        key.open("person", sealed[:place] + bytes([sealed[place] ^ 1 << bit]) + sealed[place + 1 :])
    with pytest.raises(Undecryptable):
        key.open("person", sealed[:place])
    cut = data.draw(st.integers(0, len(wrapped) - 1))
    with pytest.raises(Undecryptable):
        KEYS.unwrap("c-1", key_id, wrapped[:cut])
    with pytest.raises(Undecryptable):
        KEYS.unwrap("c-1", key_id, wrapped[:cut] + bytes([wrapped[cut] ^ 1 << bit]) + wrapped[cut + 1 :])


def test_rotation_wraps_anew_and_leaves_data_and_tokens_alone() -> None:
    key, key_id, wrapped = KEYS.new("c-1")
    sealed, token = key.seal("person", b"who"), key.token("tracking")
    both = MasterKeys({"new": NEW, "old": OLD}, pseudonym_key=PSEUDONYM)
    assert both.current == "new"
    assert both.new("x")[1] == "new"

    new_id, rewrapped = both.rewrap("c-1", key_id, wrapped)
    assert new_id == "new"
    only_new = MasterKeys({"new": NEW}, pseudonym_key=PSEUDONYM)
    opened = only_new.unwrap("c-1", new_id, rewrapped)
    assert opened.open("person", sealed) == b"who"
    assert opened.fits("tracking", token)
    with pytest.raises(Undecryptable, match="'old' is not at hand"):
        only_new.unwrap("c-1", key_id, wrapped)


def test_a_token_is_one_complaints_and_one_purposes() -> None:
    key, other = KEYS.new("c-1")[0], KEYS.new("c-2")[0]
    token = key.token("tracking")
    assert token == key.token("tracking")
    assert len(base64.urlsafe_b64decode(token)) == 24
    assert key.fits("tracking", token)
    assert not other.fits("tracking", token)
    assert not key.fits("rating", token)
    for wrong in ("", token[:-1], token + "=", token.swapcase(), "é", "\ud800".encode("utf-8", "replace").decode()):
        assert not key.fits("tracking", wrong)


@given(st.lists(st.text(st.characters(exclude_characters="\x1f", exclude_categories=("Cs",))), min_size=1, max_size=3))
def test_a_pseudonym_is_stable_and_keyed(values: list[str]) -> None:
    found = KEYS.pseudonym("customer", *values)
    assert found == MasterKeys({"x": NEW}, pseudonym_key=PSEUDONYM).pseudonym("customer", *values)
    assert found != MasterKeys({"old": OLD}, pseudonym_key=NEW).pseudonym("customer", *values)
    assert found != KEYS.pseudonym("other", *values)
    assert found != KEYS.pseudonym("customer", *values, "")
    assert len(found) == 32


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_keys_are_read_from_text_the_current_one_first() -> None:
    keys = MasterKeys.parse(f"new:{_b64(NEW)}, old:{_b64(OLD)},", pseudonym_key=_b64(PSEUDONYM))
    assert keys.current == "new"
    subject, key_id, wrapped = "c-1", *KEYS.new("c-1")[1:]
    assert keys.unwrap(subject, key_id, wrapped)


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "SECRETSECRET", f"k:{_b64(b'SECRETSECRET')}", "k:SECRET!SECRET", "k:SECRETSECRETS", f":{_b64(NEW)}x",
        f"k:{_b64(NEW)},SECRETSECRET", "k:ＳＥＣＲＥＴ",
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match="key") as raised:
        MasterKeys.parse(text, pseudonym_key=_b64(PSEUDONYM))
    assert "SECRET" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    with pytest.raises(ValueError, match="key") as raised:
        MasterKeys.parse(f"k:{_b64(NEW)}", pseudonym_key="SECRETSECRET")
    assert "SECRET" not in str(raised.value)


def test_development_keys_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "keys.json"
    made = development_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    _, key_id, wrapped = made.new("c-1")
    again = development_keys(path)
    assert again.unwrap("c-1", key_id, wrapped)
    assert again.pseudonym("customer", "1") == made.pseudonym("customer", "1")
    assert [p.name for p in path.parent.iterdir()] == ["keys.json"]
    assert set(json.loads(path.read_text())) == {"encryption", "pseudonym"}
