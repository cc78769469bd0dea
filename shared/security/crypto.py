"""Encryption of personal data: AES-256-GCM with a data key for each complaint, itself wrapped by the bank's master key.

Rotation wraps the small data keys anew and leaves the data alone; erasing a data key erases all that it sealed.
Everything sealed is bound to its complaint and purpose, so that one row's data can't be put into another's.
"""

import base64
import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Undecryptable(Exception):
    """The data was sealed with a key that is not at hand, or was changed."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One complaint's key, in the clear only in memory."""

    raw: bytes
    subject: str

    def seal(self, purpose: str, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.raw).encrypt(nonce, plain, f"{purpose}:{self.subject}".encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Raises Undecryptable."""
        try:
            return AESGCM(self.raw).decrypt(sealed[:_NONCE], sealed[_NONCE:], f"{purpose}:{self.subject}".encode())
        except (InvalidTag, ValueError):  # ValueError: not even a nonce is left of it
            raise Undecryptable("sealed data was changed or belongs elsewhere") from None

    def token(self, purpose: str) -> str:
        """A secret that only this key can make, the same every time: 192 bits in URL-safe letters."""
        mac = hashlib.blake2b(purpose.encode(), key=self.raw, digest_size=24).digest()
        return base64.urlsafe_b64encode(mac).decode()

    def fits(self, purpose: str, token: str) -> bool:
        """Whether `token` is this key's, in constant time."""
        return hmac.compare_digest(self.token(purpose).encode(), token.encode())


class MasterKeys:
    """The bank's keys. The first wraps what is new; the others still open what they wrapped, until it is rotated."""

    def __init__(self, keys: dict[str, bytes], *, pseudonym_key: bytes) -> None:
        if not keys:
            raise ValueError("at least one encryption key is needed")
        if any(len(k) != 32 for k in (*keys.values(), pseudonym_key)):
            raise ValueError("keys are 32 bytes long")
        self._aead = {id: AESGCM(raw) for id, raw in keys.items()}
        self.current = next(iter(keys))
        self._pseudonym_key = pseudonym_key

    @classmethod
    def parse(cls, text: str, *, pseudonym_key: str) -> "MasterKeys":
        """`text`: `id:base64,id:base64`, the current one first. Raises ValueError, which never quotes a key."""
        try:
            pairs = [part.strip().split(":", 1) for part in text.split(",") if part.strip()]
            keys = {id: base64.b64decode(raw, validate=True) for id, raw in pairs}
            pseudonym = base64.b64decode(pseudonym_key, validate=True)
        except ValueError:
            raise ValueError("encryption keys are written as id:base64,id:base64") from None
        return cls(keys, pseudonym_key=pseudonym)

    def new(self, subject: str) -> tuple[DataKey, str, bytes]:
        """A data key for `subject` (a complaint's id), with the id of the master key and its wrapping, to be kept."""
        raw = os.urandom(32)
        return DataKey(raw, subject), self.current, self._wrap(self.current, raw, subject)

    def unwrap(self, subject: str, key_id: str, wrapped: bytes) -> DataKey:
        """Raises Undecryptable."""
        aead = self._aead.get(key_id)
        if aead is None:
            raise Undecryptable(f"master key '{key_id}' is not at hand")
        try:
            return DataKey(aead.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], subject.encode()), subject)
        except (InvalidTag, ValueError):
            raise Undecryptable("a data key was changed or belongs elsewhere") from None

    def rewrap(self, subject: str, key_id: str, wrapped: bytes) -> tuple[str, bytes]:
        """The same data key under the current master key. Raises Undecryptable."""
        return self.current, self._wrap(self.current, self.unwrap(subject, key_id, wrapped).raw, subject)

    def _wrap(self, key_id: str, raw: bytes, subject: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._aead[key_id].encrypt(nonce, raw, subject.encode())

    def pseudonym(self, purpose: str, *values: str) -> str:
        """A keyed hash that stands for `values`: equal for equal values, and nothing can be read back from it."""
        text = "\x1f".join((purpose, *values))
        return hashlib.blake2b(text.encode(), key=self._pseudonym_key, digest_size=16).hexdigest()


def development_keys(path: Path) -> MasterKeys:
    """The embedded default's own keys, made on first start and kept readable by their owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = {"encryption": {"dev1": _random()}, "pseudonym": _random()}
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(made, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    kept = json.loads(path.read_text())
    keys = {id: base64.b64decode(raw) for id, raw in kept["encryption"].items()}
    return MasterKeys(keys, pseudonym_key=base64.b64decode(kept["pseudonym"]))


def _random() -> str:
    return base64.b64encode(os.urandom(32)).decode()
