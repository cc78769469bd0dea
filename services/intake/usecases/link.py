"""Finding the reports of one matter, and deciding on what was found."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain import linking as domain
from services.intake.domain.complaint import Erased
from services.intake.domain.linking import Person, State, Suggestion, Verb
from services.intake.domain.phone import e164
from services.intake.domain.sketch import Sketch, fold, sketch
from services.intake.store import link as store
from services.intake.store import person as persons
from services.intake.store.complaint import Complaint
from services.intake.usecases.complaint import Desk
from shared import audit, outbox, trace
from shared.clock import rfc3339
from shared.cloudevents import Envelope
from shared.errors import NotFound
from shared.events import ComplaintLinked, ComplaintReceived
from shared.ids import uuid7

ACTOR = "system:intake"
_TRANSACTION = re.compile(r"(?:transaction|txn|trans|transfer|payment|order|trace)_?(?:ref|reference|id|no|number)?")
_NAME_PARTS = re.compile(r"[a-z]{2,}|[\u3400-\u9fff]")


class LinkNotFound(NotFound):
    """There is no such link."""

    code = "link_not_found"


@dataclass(frozen=True, slots=True)
class Seen:
    """A link and the two complaints in it. `governs_from`: since when the matter of the later one runs."""

    link: store.Link
    earlier: Complaint
    later: Complaint
    governs_from: datetime


class Matcher:
    """Compares new complaints with their person's others, for one batch of events."""

    def __init__(self, desk: Desk, zone: ZoneInfo, window: timedelta) -> None:
        self._desk = desk
        self._zone = zone
        self._window = window
        self._key = bytes.fromhex(desk.pseudonym("sketch"))

    async def hear(self, tx: AsyncSession, events: Sequence[Envelope], *, now: datetime) -> None:
        """Keep the traits of what was received, and suggest links. Anonymous complaints are passed over, and what has
        been erased meanwhile. Few complaints have a neighbour, so a suggestion may cost statements of its own."""
        received_now = {
            event.subject: (event, event.data) for event in events if isinstance(event.data, ComplaintReceived)
        }
        complaints = await store.complaints(tx, received_now)
        await persons.keep_names(tx, self._names(complaints.values()))
        known = {id: one for id, one in received_now.items() if one[1].customer_ref}
        if not known:
            return
        there = {trait.complaint_id for trait in await store.traits(tx, known)}
        fresh = [
            self._trait(data, complaints[id])
            for id, (_, data) in known.items()
            if id not in there and id in complaints and complaints[id].wrapped_key and complaints[id].customer_ref
        ]
        if not fresh:
            return
        refs = {trait.person.ref for trait in fresh}
        ways = {way for trait in fresh for way in trait.person.ways()}
        await store.lock_persons(tx, refs | ways)
        received = [trait.received_at for trait in fresh]
        rows = await store.of_persons(tx, refs, ways, min(received) - self._window, max(received) + self._window)
        others = [_of_row(row) for row in rows]
        links = await store.links(tx, [trait.complaint_id for trait in others])
        pairs = _pairs(link for link in links if link.state != "rejected")
        for trait in fresh:
            event, data = known[trait.complaint_id]
            tx.add(_row(trait))
            if not data.imported:  # of history nobody waits for an answer any more
                found = domain.suggest(trait, others, matter_of=domain.matters(pairs), window=self._window)
                with trace.following(event, service="intake"):
                    for one in found:
                        pairs.append((one.earlier.complaint_id, one.later.complaint_id))
                        await _suggest(tx, one, now=now)
            others.append(trait)

    def _trait(self, event: ComplaintReceived, complaint: Complaint) -> domain.Trait:
        content = self._desk.content(complaint)
        occurred_on = event.occurred_at.astimezone(self._zone).date() if event.occurred_at else None
        return domain.Trait(
            event.complaint_id,
            self._person(complaint),
            event.received_at,
            event.channel,
            sketch(
                event.narrative,
                self._key,
                amount=event.amount,
                occurred_on=occurred_on,
                codes=_transactions(content),
                reference=event.reference,
            ),
            event.branch,
            event.product,
            event.amount,
            event.currency,
            event.occurred_at,
        )

    def _person(self, complaint: Complaint) -> Person:
        told = self._desk.person(complaint) or {}
        assert complaint.customer_ref is not None
        phone, email = told.get("phone"), told.get("email")
        return Person(
            complaint.customer_ref,
            bool(told.get("customer_no")),
            phone_key(self._desk, phone) if phone else None,
            email_key(self._desk, email) if email else None,
            name_keys(self._desk, told.get("name") or ""),
        )

    def _names(self, complaints: Iterable[Complaint]) -> set[tuple[str, str]]:
        """The parts of the complainants' names, by which staff find them."""
        found = set()
        for one in complaints:
            if one.wrapped_key and one.sealed_person is not None:
                name = (self._desk.person(one) or {}).get("name") or ""
                found |= {(key, one.id) for key in name_keys(self._desk, name)}
        return found


def phone_key(desk: Desk, phone: str) -> str:
    """The hash of a phone number, however it is written."""
    return desk.pseudonym("person_phone", e164(phone))


def email_key(desk: Desk, email: str) -> str:
    return desk.pseudonym("person_email", fold(email).strip())


def name_keys(desk: Desk, name: str) -> frozenset[str]:
    """The hashes of a name's parts, each with its script in front: 陳 and Chan are not to be held against each
    other."""
    return frozenset(
        ("l" if part.isascii() else "h") + desk.pseudonym("person_name", part)[:15] for part in name_parts(name)
    )


def name_parts(name: str) -> frozenset[str]:
    """The words of a name in Latin script, its signs in Chinese, all in one form. Single letters are left out."""
    return frozenset(_NAME_PARTS.findall(fold(name)))


def _transactions(content: Mapping[str, Any]) -> list[str]:
    """The numbers of transactions that a channel sent in its own fields."""
    fields: dict[str, Any] = (content.get("detail") or {}) | (content.get("facts") or {})
    return [value for name, value in fields.items() if isinstance(value, str) and _TRANSACTION.fullmatch(name.lower())]


async def _suggest(tx: AsyncSession, one: Suggestion, *, now: datetime) -> None:
    link = store.Link(
        id=uuid7(),
        earlier_id=one.earlier.complaint_id,
        later_id=one.later.complaint_id,
        score=one.score,
        reasons=orjson.dumps(one.reasons).decode(),
        state="suggested",
        created_at=now,
    )
    tx.add(link)
    governs = await _governs(tx, [link.later_id])
    outbox.add(tx, _event(link, link.later_id, governs[link.later_id], now), now=now)
    detail = {"link": link.id, "other": link.earlier_id, "score": one.score, "reasons": list(one.reasons)}
    audit.add(tx, ACTOR, "link.suggested", link.later_id, now=now, detail=detail)


async def decide(tx: AsyncSession, id: str, verb: Verb, *, expected: State | None, actor: str, now: datetime) -> Seen:
    """Confirm or reject a suggested link, or reset it to what it was before. The same again changes nothing.

    Raises LinkNotFound, LinkDecided, DifferentPersons, Erased (nobody can tell any more that it is one person).
    """
    await store.lock_decisions(tx)
    link = await store.link(tx, id)
    if link is None:
        raise LinkNotFound
    before = cast(State, link.state)
    after = domain.decide(before, verb, expected=expected)
    if after != before:
        old = await store.matter(tx, [link.earlier_id, link.later_id])
        new = {one: row for one, row in old.items() if one != id}
        if after == "confirmed":
            new = old | {id: link}
            await _check_persons(tx, [link, *new.values()])
        received = await _received(tx, _ids([link, *old.values()]))
        was = domain.governs_from(_pairs(old.values()), received)
        link.state = after
        link.decided_at, link.decided_by = (None, None) if after == "suggested" else (now, actor)
        is_now = domain.governs_from(_pairs(new.values()), received)
        await _publish_all(tx, link, new, was, is_now, now=now)
        detail = {"link": id, "other": link.earlier_id, "was": before}
        audit.add(
            tx, actor, f"link.{after}" if verb != "reset" else "link.reset", link.later_id, now=now, detail=detail
        )
        await tx.flush()
    return (await _seen(tx, [link]))[0]


async def of_complaint(tx: AsyncSession, complaint_id: str) -> tuple[Sequence[Seen], datetime]:
    """A complaint's links, and since when its matter runs. Raises NotFound."""
    if complaint_id not in await store.complaints(tx, [complaint_id]):
        raise NotFound("No complaint has this id.")
    governs_from = (await _governs(tx, [complaint_id]))[complaint_id]
    return await _seen(tx, await store.links(tx, [complaint_id])), governs_from


async def page(
    tx: AsyncSession, *, state: State | None, cursor: str | None, limit: int
) -> tuple[Sequence[Seen], str | None]:
    """A page of links, oldest first, and the cursor of the next one, None on the last."""
    found = await store.page(tx, state=state, after=cursor, limit=limit + 1)
    return await _seen(tx, found[:limit]), found[limit - 1].id if len(found) > limit else None


async def _check_persons(tx: AsyncSession, links: Iterable[store.Link]) -> None:
    ids = _ids(links)
    rows = await store.traits(tx, ids)
    if len(rows) < len(ids):
        raise Erased
    domain.check_one_person([_of_row(row).person for row in rows])


def _pairs(links: Iterable[store.Link]) -> list[tuple[str, str]]:
    return [(link.earlier_id, link.later_id) for link in links]


def _ids(links: Iterable[store.Link]) -> set[str]:
    return {id for pair in _pairs(links) for id in pair}


async def _received(tx: AsyncSession, ids: Collection[str]) -> dict[str, datetime]:
    return {id: complaint.received_at for id, complaint in (await store.complaints(tx, ids)).items()}


async def _governs(tx: AsyncSession, ids: Collection[str]) -> dict[str, datetime]:
    """Since when the matters of these complaints run, as confirmed so far."""
    confirmed = (await store.matter(tx, ids)).values()
    return domain.governs_from(_pairs(confirmed), await _received(tx, {*ids, *_ids(confirmed)}))


async def _publish_all(
    tx: AsyncSession,
    decided: store.Link,
    confirmed: Mapping[str, store.Link],
    was: Mapping[str, datetime],
    is_now: Mapping[str, datetime],
    *,
    now: datetime,
) -> None:
    """Tell of the decision, for the later of the two; and for each other report whose clock it moves, of the link by
    which that one belongs to the matter."""
    outbox.add(tx, _event(decided, decided.later_id, is_now[decided.later_id], now), now=now)
    for id in sorted(is_now):
        if id != decided.later_id and is_now[id] != was[id]:
            its = decided
            if id != decided.earlier_id:
                its = next(one for one in confirmed.values() if id in (one.earlier_id, one.later_id))
            outbox.add(tx, _event(its, id, is_now[id], now), now=now)


def _event(link: store.Link, complaint_id: str, governs_from: datetime, now: datetime) -> ComplaintLinked:
    return ComplaintLinked(
        complaint_id=complaint_id,
        link_id=link.id,
        other_id=link.later_id if complaint_id == link.earlier_id else link.earlier_id,
        state=cast(State, link.state),
        score=link.score,
        reasons=tuple(orjson.loads(link.reasons)),
        governs_from=governs_from,
        linked_at=now,
    )


async def _seen(tx: AsyncSession, links: Sequence[store.Link]) -> list[Seen]:
    ids = _ids(links)
    complaints = await store.complaints(tx, ids)
    governs = await _governs(tx, ids)
    return [
        Seen(link, complaints[link.earlier_id], complaints[link.later_id], governs[link.later_id]) for link in links
    ]


def view(seen: Seen) -> dict[str, Any]:
    """A link as the API shows it; no personal data."""
    link = seen.link
    return {
        "id": link.id,
        "state": link.state,
        "score": link.score,
        "reasons": orjson.loads(link.reasons),
        "earlier": _side(seen.earlier),
        "later": _side(seen.later),
        "governs_from": rfc3339(seen.governs_from),
        "created_at": rfc3339(link.created_at),
        "decided_at": rfc3339(link.decided_at) if link.decided_at else None,
        "decided_by": link.decided_by,
    }


def _side(complaint: Complaint) -> dict[str, Any]:
    return {
        "id": complaint.id,
        "reference": complaint.reference,
        "channel": complaint.channel,
        "received_at": rfc3339(complaint.received_at),
        "product": complaint.product,
        "branch": complaint.branch,
    }


def _row(trait: domain.Trait) -> store.Trait:
    person = trait.person
    return store.Trait(
        complaint_id=trait.complaint_id,
        customer_ref=person.ref,
        numbered=person.numbered,
        phone_key=person.phone,
        email_key=person.email,
        name_keys=" ".join(sorted(person.names)),
        received_at=trait.received_at,
        channel=trait.channel,
        branch=trait.branch,
        product=trait.product,
        amount=trait.amount,
        currency=trait.currency,
        occurred_at=trait.occurred_at,
        sketch=trait.sketch.to_bytes(),
    )


def _of_row(row: store.Trait) -> domain.Trait:
    names = frozenset(row.name_keys.split())
    return domain.Trait(
        row.complaint_id,
        Person(row.customer_ref, row.numbered, row.phone_key, row.email_key, names),
        row.received_at,
        row.channel,
        Sketch.from_bytes(row.sketch),
        row.branch,
        row.product,
        row.amount,
        row.currency,
        row.occurred_at,
    )
