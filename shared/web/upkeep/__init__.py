"""What every service has for auditors and admins: the audit trail and its verification, compliance checks, parked
events, API keys.

    create_app(..., routers=[..., *upkeep.ROUTERS, session.router()])
    upkeep.install(app, handle=consumers.handler(...), checks=compliance.checks(...))

Auditors read all of it and change nothing; what is changed here, an admin changes.
"""

from collections.abc import Sequence

from fastapi import FastAPI

from shared.compliance import Check
from shared.inbox import Handle
from shared.web.upkeep import audit, compliance, keys, parked, verification
from shared.web.upkeep.verification import Verifier

ROUTERS = (audit.router(), verification.router(), compliance.router(), parked.router(), keys.router())
"""The pages, for the app of a service."""


def install(app: FastAPI, *, handle: Handle, checks: Sequence[Check]) -> None:
    """Give `app`, made by `shared.web.app.create_app`, what the pages work with: how its consumer handles events, for
    replaying them, and its compliance checks."""
    app.state.handle = handle
    app.state.compliance = tuple(checks)
    app.state.verifier = verifier = Verifier(app.state.db, app.state.clock)
    app.state.closing.append(verifier.stop)
