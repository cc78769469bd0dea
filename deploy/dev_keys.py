"""The embedded default's development keys: made on first start, kept in `$REDRESS_HOME/dev-keys.json`, and only there.

Outside the embedded default no key is made by itself: `redress keys create` makes them.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.registry import SERVICES
from services.intake.domain.complaint import CHANNELS
from services.intake.domain.form import Look
from services.intake.usecases import form
from shared.clock import utcnow
from shared.db import Database
from shared.errors import NotFound
from shared.security import keys
from shared.security.crypto import MasterKeys
from shared.security.keys import NewKey
from shared.security.principal import Role, Scope

_CHANNEL = (Scope.WRITE, Scope.READ)
KEYS = {
    "phone": NewKey("dev-phone", scopes=_CHANNEL, channels=["phone"]),
    "web_chat": NewKey("dev-web-chat", scopes=_CHANNEL, channels=["web_chat"]),
    "mobile": NewKey("dev-mobile", scopes=_CHANNEL, channels=["mobile", "web_form"]),
    "import": NewKey("dev-import", scopes=(*_CHANNEL, Scope.IMPORT), channels=CHANNELS),
    **{role.value: NewKey(f"dev-{role}", roles=[role]) for role in Role},
}

FORM = "form"
"""The publishable key of the sample page's form."""


def load(home: Path) -> dict[str, str]:
    """The development keys by name, made and saved (readable by their owner alone) where they are missing."""
    path = home / "dev-keys.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [name for name in (*KEYS, FORM) if name not in known]
    if missing:
        known |= {
            name: f"{form.PREFIX}{secrets.token_urlsafe(12)}" if name == FORM else keys.mint()[1] for name in missing
        }
        home.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(known, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    return known


async def plant(databases: Mapping[str, Database], known: Mapping[str, str]) -> None:
    """See that each service knows the keys: staff keys everywhere, channels' keys in intake."""
    for name, db in databases.items():
        table = SERVICES[name].tables.api_key
        async with db.transaction() as tx:
            there = set((await tx.scalars(select(table.c.id))).all())
            for key, token in known.items():
                new = KEYS.get(key)
                id = token.removeprefix(keys.PREFIX).split("_", 1)[0]
                if new is None or id in there or not (new.roles or name == "intake"):
                    continue
                await keys.store(tx, SERVICES[name].tables, new, id=id, token=token, actor="system", now=utcnow())


async def plant_form(tx: AsyncSession, master: MasterKeys, id: str, address: str) -> None:
    """See that intake knows the sample page's form, and that it may stand where the desk is reached now."""
    port = urlsplit(address).port or 80
    about = (
        "Sample",
        "web_form",
        [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")],
        Look("Sample Bank"),
    )
    try:
        await form.change(tx, id, *about, actor="system", now=utcnow())
    except NotFound:
        form.create(tx, master, *about, actor="system", now=utcnow(), id=id)
