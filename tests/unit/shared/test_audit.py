"""Whoever changes, removes or inserts an entry of the audit trail is found out, by the rows alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from shared import audit
from shared.clock import rfc3339
from shared.db.pending import GENESIS

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
Rows = list[dict[str, Any]]


def _chain(entries: list[audit.AuditEntry]) -> Rows:
    rows, previous = [], GENESIS
    for seq, one in enumerate(entries, 1):
        previous = one.hash(seq, previous)
        row = {"seq": seq, "at": rfc3339(one.at), "actor": one.actor, "action": one.action, "subject": one.subject}
        rows.append({**row, "detail": one.detail, "hash": previous})
    return rows


_words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_entries = st.builds(
    lambda minutes, actor, action, subject, detail: audit.entry(
        actor, action, subject, now=AT + timedelta(minutes=minutes), detail=detail
    ),
    st.integers(0, 10**6),
    _words,
    _words,
    _words,
    st.none() | st.dictionaries(_words, _words | st.integers(-(2**50), 2**50), max_size=3),
)
chains = st.lists(_entries, min_size=1, max_size=8).map(_chain)


@given(chains)
def test_an_untouched_chain_holds(rows: Rows) -> None:
    found = audit.verify(rows, expected_head=rows[-1]["hash"])
    assert found == audit.Verdict(len(rows), rows[-1]["hash"])
    as_kept = [r | {"at": datetime.fromisoformat(r["at"])} for r in rows]
    assert audit.verify(as_kept) == found, "times as the database gives them"


def test_an_empty_chain_is_whole() -> None:
    assert audit.verify([], expected_head=GENESIS) == audit.Verdict(0, GENESIS)


@given(chains, st.data())
def test_any_change_is_found_where_it_is(rows: Rows, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(["at", "actor", "action", "subject", "detail", "hash"]))
    old = rows[place][field]
    if field == "at":
        new: Any = rfc3339(datetime.fromisoformat(old) + timedelta(milliseconds=1))
    else:
        new = data.draw(_words)
    assume(new != old)
    changed = [dict(r) for r in rows]
    changed[place][field] = new
    assert audit.verify(changed).broken_at == place + 1


@given(chains, st.data())
def test_any_removal_is_found(rows: Rows, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    left = rows[:place] + rows[place + 1 :]
    assert audit.verify(left, expected_head=rows[-1]["hash"]).broken_at == place + 1
    renumbered = [r | {"seq": n} for n, r in enumerate(left, 1)]
    assert audit.verify(renumbered, expected_head=rows[-1]["hash"]).broken_at == place + 1


@given(chains, _entries, st.data())
def test_any_insertion_is_found(rows: Rows, forged: audit.AuditEntry, data: st.DataObject) -> None:
    """Even one that fits the entry before it: the one after it then does not."""
    place = data.draw(st.integers(0, len(rows)))
    previous = rows[place - 1]["hash"] if place else GENESIS
    (row,) = _chain([forged])
    row |= {"seq": place + 1, "hash": forged.hash(place + 1, previous)}
    longer = [*rows[:place], row, *(r | {"seq": r["seq"] + 1} for r in rows[place:])]
    assert audit.verify(longer, expected_head=rows[-1]["hash"]).broken_at is not None
    if place < len(rows):
        assert audit.verify(longer).broken_at == place + 2


@given(chains, st.data())
def test_a_swap_of_entries_is_found(rows: Rows, data: st.DataObject) -> None:
    assume(len(rows) > 1)
    place = data.draw(st.integers(0, len(rows) - 2))
    swapped = [dict(r) for r in rows]
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    for seq, row in enumerate(swapped, 1):
        row["seq"] = seq
    assert audit.verify(swapped).broken_at is not None


@given(chains, st.data())
def test_a_tail_that_was_cut_off_is_found_by_the_head(rows: Rows, data: st.DataObject) -> None:
    left = rows[: data.draw(st.integers(0, len(rows) - 1))]
    assert audit.verify(left).broken_at is None, "by the rows alone it cannot be"
    found = audit.verify(left, expected_head=rows[-1]["hash"])
    assert found.broken_at == len(left) + 1
    assert "missing" in found.reason


def test_fields_cannot_run_into_one_another() -> None:
    one = audit.entry("ab", "c", "", now=AT)
    other = audit.entry("a", "bc", "", now=AT)
    assert one.hash(1, GENESIS) != other.hash(1, GENESIS)
    assert one.hash(1, GENESIS) != one.hash(2, GENESIS)
    assert audit.entry("a", "b", "c", now=AT, detail={"x": 1, "a": 2}).detail == '{"a":2,"x":1}'
