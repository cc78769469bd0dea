"""Forms in other sites' pages: their keys, who is signed in, and sessions.

A session is sealed with the form's own secret and kept by the browser, so any process can open it and nothing is
stored. A form's identity secret is made from that same secret: a new one ends the sessions of the old.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import jwt
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain.complaint import is_email
from services.intake.domain.form import (
    IDENTITY_FOR,
    SESSION_FOR,
    IdentityRefused,
    Look,
    OriginNotAllowed,
    Session,
    SessionEnded,
    check_look,
    check_origin,
)
from services.intake.store import caller as store
from shared import audit
from shared.clock import rfc3339
from shared.errors import FieldError, NotFound
from shared.security.crypto import DataKey, MasterKeys, Undecryptable

PREFIX = "pk_"
_IDENTITY, _SESSION = "identity", "session"
_LEEWAY = 30  # seconds by which the bank's clock may be ahead


def create(
    tx: AsyncSession,
    keys: MasterKeys,
    name: str,
    channel: str,
    origins: Sequence[str],
    look: Look,
    *,
    actor: str,
    now: datetime,
    id: str | None = None,
) -> tuple[store.FormKey, str]:
    """A new form and the secret that signs identities, which is shown this once. Raises OriginInvalid, LookInvalid."""
    id = id or PREFIX + secrets.token_urlsafe(16)
    secret, key_id, wrapped = keys.new(f"form:{id}")
    made = store.FormKey(
        id=id,
        name=name,
        channel=channel,
        origins="",
        look="",
        key_id=key_id,
        wrapped_identity_secret=wrapped,
        created_at=now,
    )
    _set(made, name, channel, origins, look)
    tx.add(made)
    audit.add(tx, actor, "form.created", id, now=now)
    return made, secret.token(_IDENTITY)


async def change(
    tx: AsyncSession,
    id: str,
    name: str,
    channel: str,
    origins: Sequence[str],
    look: Look,
    *,
    actor: str,
    now: datetime,
) -> store.FormKey:
    """Raises NotFound, OriginInvalid, LookInvalid."""
    found = await live(tx, id)
    _set(found, name, channel, origins, look)
    audit.add(tx, actor, "form.changed", id, now=now)
    return found


async def rotate(tx: AsyncSession, keys: MasterKeys, id: str, *, actor: str, now: datetime) -> str:
    """A new identity secret; the old one signs nothing any more. Raises NotFound."""
    found = await live(tx, id)
    secret, found.key_id, found.wrapped_identity_secret = keys.new(f"form:{id}")
    audit.add(tx, actor, "form.rotated", id, now=now)
    return secret.token(_IDENTITY)


async def revoke(tx: AsyncSession, id: str, *, actor: str, now: datetime) -> None:
    """From now on the form opens nowhere. Raises NotFound."""
    found = await live(tx, id)
    found.revoked_at = now
    audit.add(tx, actor, "form.revoked", id, now=now)


async def live(tx: AsyncSession, id: str) -> store.FormKey:
    """Raises NotFound."""
    found = await tx.get(store.FormKey, id)
    if found is None or found.revoked_at is not None:
        raise NotFound("No form has this key.")
    return found


def _set(form: store.FormKey, name: str, channel: str, origins: Sequence[str], look: Look) -> None:
    check_look(look)
    found = [check_origin(one, f"/origins/{at}") for at, one in enumerate(origins)]
    form.name, form.channel = name, channel  # only now: what is refused changes nothing
    form.origins = " ".join(dict.fromkeys(found))
    form.look = orjson.dumps({"name": look.name, "logo": look.logo, "colour": look.colour}).decode()


def look_of(form: store.FormKey) -> Look:
    return Look(**orjson.loads(form.look))


def check_host(form: store.FormKey, origin: str, own: str) -> None:
    """Raises OriginNotAllowed unless `origin` is one of the form's or `own`."""
    if origin != own and origin not in form.origins.split():
        raise OriginNotAllowed


# --- sessions ---


def begin(form: store.FormKey, keys: MasterKeys, identity: str | None, *, now: datetime) -> tuple[Session, str]:
    """A new session, and itself sealed. Raises IdentityRefused."""
    key = _key(form, keys)
    person = _verified(identity, key.token(_IDENTITY), form.id, now=now) if identity else None
    session = Session(form.id, secrets.token_urlsafe(12), now, person)
    kept = {"seed": session.seed, "at": now.timestamp(), "person": person}
    sealed = key.seal(_SESSION, orjson.dumps(kept))
    return session, f"{form.id}.{base64.urlsafe_b64encode(sealed).decode()}"


async def resume(tx: AsyncSession, keys: MasterKeys, sealed: str, *, now: datetime) -> tuple[store.FormKey, Session]:
    """The form and session that `sealed` stands for. Raises SessionEnded."""
    id, _, rest = sealed.partition(".")
    form = await tx.get(store.FormKey, id[:40])
    if form is None or form.revoked_at is not None:
        raise SessionEnded
    try:
        kept: dict[str, Any] = orjson.loads(_key(form, keys).open(_SESSION, base64.urlsafe_b64decode(rest)))
    except (Undecryptable, ValueError):
        raise SessionEnded from None
    session = Session(form.id, kept["seed"], datetime.fromtimestamp(kept["at"], now.tzinfo), kept["person"])
    session.check(now=now)
    return form, session


def _key(form: store.FormKey, keys: MasterKeys) -> DataKey:
    return keys.unwrap(f"form:{form.id}", form.key_id, form.wrapped_identity_secret)


def _verified(identity: str, secret: str, form: str, *, now: datetime) -> dict[str, str]:
    """Who the bank says is signed in. Raises IdentityRefused.

    A JWT (RFC 7519) signed by HS256: `aud` is the form's key, `exp` at most ten minutes after `iat`, `sub` the customer
    number, `name`, and if known `email` and `phone`.
    """
    wanted = {"require": ["aud", "exp", "iat", "sub", "name"], "verify_exp": False, "verify_iat": False}
    try:
        claims = jwt.decode(identity, secret, algorithms=["HS256"], audience=form, options=wanted)  # type: ignore[arg-type]
        issued, over = float(claims["iat"]), float(claims["exp"])
    except (jwt.InvalidTokenError, TypeError, ValueError):
        raise _refused("is not signed by this bank for this form") from None
    moment = now.timestamp()
    # judged by our own clock, which the library cannot be given
    if not issued - _LEEWAY <= moment < over or over - issued > IDENTITY_FOR.total_seconds():
        raise _refused("is over, or lasts for more than ten minutes")
    found = {"customer_no": claims["sub"], "name": claims["name"]}
    found |= {name: claims[name] for name in ("email", "phone") if claims.get(name)}
    limits = {"customer_no": 64, "name": 200, "email": 254, "phone": 40}
    if any(not isinstance(v, str) or not 0 < len(v.strip()) <= limits[k] for k, v in found.items()):
        raise _refused("holds a claim that is no text or too long")
    if "email" in found and not is_email(found["email"]):
        raise _refused("holds an email that is none")
    return found


def _refused(why: str) -> IdentityRefused:
    return IdentityRefused(errors=(FieldError("/identity", why, IdentityRefused.code),))


def ends(session: Session) -> str:
    return rfc3339(session.opened_at + SESSION_FOR)


def form_view(form: store.FormKey) -> dict[str, Any]:
    return {
        "id": form.id,
        "name": form.name,
        "channel": form.channel,
        "origins": form.origins.split(),
        "look": orjson.loads(form.look),
        "created_at": rfc3339(form.created_at),
        "revoked_at": rfc3339(form.revoked_at) if form.revoked_at else None,
    }


async def rewrap(tx: AsyncSession, keys: MasterKeys, limit: int) -> int:
    """Wrap up to `limit` secrets anew under the current master key; how many."""
    found = await store.forms_with_other_keys(tx, keys.current, limit)
    for one in found:
        one.key_id, one.wrapped_identity_secret = keys.rewrap(f"form:{one.id}", one.key_id, one.wrapped_identity_secret)
    return len(found)
