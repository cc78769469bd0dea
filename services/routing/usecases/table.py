"""The routing table: what another one would change, before anybody is moved."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.routing import store
from services.routing.classifier import BadRegister, Rulebook
from services.routing.classifier.registers import Routes, check_routes
from services.routing.classifier.table import Known, compare
from services.routing.store import ComplaintCase
from shared.errors import FieldError, Invalid

MOST = 5_000


async def dry_run(tx: AsyncSession, routes: Routes, rulebook: Rulebook) -> dict[str, Any]:
    """What `routes` would change for the newest cases, whatever department they are in by now.

    Raises Invalid where the table names what the registers do not know.
    """
    try:
        check_routes(rulebook.registers, routes)
    except BadRegister as error:
        wrong = FieldError("/route", str(error).removeprefix("routes.toml: "), "unknown_code")
        raise Invalid("This table cannot be used; see errors.", errors=(wrong,)) from None
    rows = await store.page(tx, department=None, state=None, assignee=None, after=None, limit=MOST)
    found = compare(rulebook.registers.routes, routes, _known(rows))
    return {
        "cases": found.cases,
        "moved": found.moves.total(),
        "moves": [{"now": now, "then": then, "cases": n} for (now, then), n in found.moves.most_common()],
        "examples": [
            {"complaint_id": m.complaint_id, "now": m.now, "then": m.then, "reason": m.reason} for m in found.examples
        ],
    }


def _known(rows: Sequence[ComplaintCase]) -> Iterator[tuple[str, Known]]:
    for row in rows:
        rules = frozenset(orjson.loads(row.rules))
        yield (
            row.complaint_id,
            Known(row.category, row.product, row.channel, row.branch, row.severity, row.language, rules),
        )
