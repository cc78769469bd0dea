"""Finding complaints by reference, and by whom they are from. Who a person is, is looked for by keyed hashes: nothing
is opened, and what was looked for is written down nowhere but as a hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain.complaint import Complainant
from services.intake.domain.phone import e164
from services.intake.domain.sketch import fold
from services.intake.store import complaint as complaints
from services.intake.store import person as store
from services.intake.usecases import link
from services.intake.usecases.complaint import Desk, view
from shared import audit
from shared.errors import FieldError, Invalid, NotFound
from shared.ids import normalise_reference

By = Literal["customer_no", "phone", "email", "name"]
WAYS: tuple[By, ...] = ("customer_no", "phone", "email", "name")
LEAST_PARTS = 2
"""Of a name: by one part alone, whole families and half the street would be found."""
_LEAST_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """Complaints as `usecases.complaint.view` shows them, the newest first; `next` is the cursor of the next page."""

    items: list[dict[str, Any]]
    next: str | None = None


async def by_reference(tx: AsyncSession, typed: str) -> complaints.Complaint:
    """The complaint that `typed`, as a person writes a reference, names. Raises NotFound."""
    number = normalise_reference(typed)
    found = await complaints.by_reference(tx, number) if number else None
    if found is None:
        raise NotFound("No complaint has this reference.")
    return found


async def by_person(
    tx: AsyncSession, desk: Desk, by: By, text: str, *, before: str | None, limit: int, actor: str, now: datetime
) -> Found:
    """A page of a person's complaints. That they were searched for is audited, by whom and with the hash of `text`, so
    that an auditor can tell whether two searches were for one person. Raises Invalid."""
    _check(by, text)
    ids = await _ids(tx, desk, by, text, before, limit + 1)
    hashed = desk.pseudonym("search", by, _plain(by, text))
    audit.add(tx, actor, "person.searched", hashed, now=now, detail={"by": by, "found": min(len(ids), limit)})
    kept, progress = await complaints.many(tx, ids[:limit]), await complaints.progress(tx, ids[:limit])
    items = [view(kept[id], progress.get(id)) for id in ids[:limit] if id in kept]
    return Found(items, ids[limit - 1] if len(ids) > limit else None)


def _check(by: By, text: str) -> None:
    enough = {
        "customer_no": bool(text.strip()),
        "phone": sum(c.isdigit() for c in text) >= _LEAST_DIGITS,
        "email": "@" in text.strip()[1:-1],
        "name": len(link.name_parts(text)) >= LEAST_PARTS,
    }
    if not enough[by]:
        raise Invalid(errors=(FieldError("/text", "is too little to find one person by", f"search_{by}"),))


def _plain(by: By, text: str) -> str:
    """`text` in one form, however it was written."""
    match by:
        case "phone":
            return e164(text)
        case "name":
            return " ".join(sorted(link.name_parts(text)))
        case _:
            return fold(text).strip()


async def _ids(tx: AsyncSession, desk: Desk, by: By, text: str, before: str | None, limit: int) -> Sequence[str]:
    match by:
        case "customer_no":
            return await store.by_refs(tx, _refs(desk, Complainant("", customer_no=text)), before, limit)
        case "name":
            return await store.by_names(tx, link.name_keys(desk, text), before, limit)
        case "phone":
            # by the reference too, which is there at once: the traits follow when the complaint has been heard of
            by_ref = await store.by_refs(tx, _refs(desk, Complainant("", phone=text)), before, limit)
            by_way = await store.by_phone(tx, link.phone_key(desk, text), before, limit)
        case "email":
            by_ref = await store.by_refs(tx, _refs(desk, Complainant("", email=text)), before, limit)
            by_way = await store.by_email(tx, link.email_key(desk, text), before, limit)
    return sorted({*by_ref, *by_way}, reverse=True)[:limit]


def _refs(desk: Desk, person: Complainant) -> list[str]:
    return [desk.customer_ref(one) for one in person.identities()]
