"""Files that a complainant adds to a complaint that is there already."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.store import attachment as store
from services.intake.store import complaint as complaints
from services.intake.usecases.attachment import Files, Upload
from services.intake.usecases.complaint import Desk
from services.intake.usecases.correspondence import add_message
from shared.errors import FieldError, Refused

MOST = 50  # files of one complaint
AT_ONCE = 10
OWN = "complainant"
"""`uploaded_by` of such files. With those of the form (`form:...`) they are the complainant's own, who may open them;
what staff or a channel's system added is only told of."""


class TooManyFiles(Refused):
    """A complaint has no room for more files, or too many were sent at once."""

    code = "too_many_files"


def is_own(row: store.Attachment) -> bool:
    return row.uploaded_by == OWN or row.uploaded_by.startswith("form:")


async def add(
    tx: AsyncSession, desk: Desk, files: Files, reference: str, token: str, uploads: Sequence[Upload], *, now: datetime
) -> list[store.Attachment]:
    """Give `uploads` to the complaint that `reference` and `token` open, and tell its department by a message with
    their names. A file that the complainant has added before is not added twice. The complainant's own files, all of
    them. Raises NotFound, TooManyFiles, TicketUnknown."""
    complaint, _ = await desk.track(tx, reference, token)
    await complaints.lock(tx, complaint)
    there = await store.of_complaint(tx, complaint.id)
    known = {row.sha256 for row in there if is_own(row)}
    fresh = list({one.row.sha256: one for one in uploads if one.row.sha256 not in known}.values())
    if len(there) + len(fresh) > MOST:
        why = f"makes more than {MOST} files of this complaint"
        raise TooManyFiles(errors=(FieldError("/file", why, TooManyFiles.code),))
    if fresh:
        await files.attach(tx, [one.ticket for one in fresh], complaint.id)
        names = "\n".join(one.name for one in fresh)
        message = await add_message(
            tx,
            desk,
            complaint,
            direction="in",
            author="complainant",
            via="tracking",
            subject=None,
            text=names,
            attachments=len(fresh),
            now=now,
        )
        await store.belong(tx, [one.row.id for one in fresh], message.id)
    return [row for row in await store.of_complaint(tx, complaint.id) if is_own(row)]
