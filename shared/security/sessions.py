"""Sessions of people at our pages, sealed in a cookie: every service that holds the bank's session keys can read them,
and none keeps any. What ended before its time is told by `shared.security.ended`.

A session lasts at most `lifetime`, and ends sooner when nothing was done for `idle` (OWASP ASVS 4.0.3, 3.3.2).
"""

import base64
import os
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.security.principal import Principal, Role

_NONCE = 12
_RENEW_AFTER = timedelta(minutes=2)  # a cookie is written anew no more often than this
_LONGEST = 8_000  # letters; no cookie of ours is longer


class SessionKeys:
    """The bank's session keys. The first seals, the others still open what they sealed."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys or any(len(raw) != 32 for raw in keys.values()):
            raise ValueError("session keys are 32 bytes long, and there is at least one")
        self._aead = {id: AESGCM(raw) for id, raw in keys.items()}
        self._current = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> "SessionKeys":
        """`text`: `id:base64,id:base64`, the current one first. Raises ValueError, which never quotes a key."""
        try:
            pairs = [part.strip().split(":", 1) for part in text.split(",") if part.strip()]
            return cls({id: base64.b64decode(raw, validate=True) for id, raw in pairs})
        except ValueError:
            raise ValueError("session keys are written as id:base64,id:base64, of 32 bytes each") from None

    def seal(self, purpose: str, plain: dict[str, Any]) -> str:
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._aead[self._current].encrypt(nonce, orjson.dumps(plain), purpose.encode())
        return f"{self._current}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def open(self, purpose: str, text: str) -> dict[str, Any] | None:
        """What was sealed for `purpose`; None for anything else."""
        id, _, body = text.partition(".")
        aead = self._aead.get(id)
        if aead is None or len(text) > _LONGEST:
            return None
        try:
            sealed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            found = orjson.loads(aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode()))
        except (InvalidTag, ValueError):
            return None
        return found if isinstance(found, dict) else None


def development_keys(path: Path) -> SessionKeys:
    """The embedded default's own keys, made on first start and kept readable by their owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"dev1:{base64.b64encode(os.urandom(32)).decode()}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # whoever comes first: all services have the same keys
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return SessionKeys.parse(path.read_text())


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in. `credential` is the API key of one who signed in by key, and is checked at every request; a
    person of the bank's directory is known by what it said when they signed in. `directory_session` is its `sid`.
    Times are seconds since 1970."""

    id: str
    staff: str
    began: int
    seen: int
    roles: tuple[str, ...] = ()
    branch: str | None = None
    departments: tuple[str, ...] = ()
    credential: str | None = None
    directory_session: str | None = None

    @property
    def principal(self) -> Principal:
        """The person as the directory knows them."""
        return Principal(
            id=self.staff,
            roles=frozenset(Role(role) for role in self.roles if role in set(Role)),
            branch=self.branch,
            departments=frozenset(self.departments),
        )

    def over(self, *, lifetime: timedelta, idle: timedelta, now: datetime) -> bool:
        at = now.timestamp()
        return at > self.began + lifetime.total_seconds() or at > self.seen + idle.total_seconds()

    def renewed(self, now: datetime) -> "Session | None":
        """The session as last seen now; None while the old cookie is fresh enough."""
        fresh = now.timestamp() - self.seen < _RENEW_AFTER.total_seconds()
        return None if fresh else replace(self, seen=int(now.timestamp()))


def begin(
    principal: Principal, *, now: datetime, credential: str | None = None, directory_session: str | None = None
) -> Session:
    """A session that begins now, under an id that nobody has seen before."""
    at = int(now.timestamp())
    return Session(
        secrets.token_hex(16),
        principal.id,
        at,
        at,
        () if credential else tuple(sorted(role.value for role in principal.roles)),
        principal.branch,
        tuple(sorted(principal.departments)),
        credential,
        directory_session,
    )


_PURPOSE = "session"


def seal(keys: SessionKeys, session: Session) -> str:
    return keys.seal(_PURPOSE, {k: v for k, v in asdict(session).items() if v not in (None, (), [])})


def read(keys: SessionKeys, text: str) -> Session | None:
    """The session that `text` is; None when it is none of ours."""
    found = keys.open(_PURPOSE, text)
    if found is None:
        return None
    lists = {name: tuple(found.get(name, ())) for name in ("roles", "departments")}
    return Session(**{**found, **lists})
