"""Sealing what is too large for memory: AES-256-GCM in segments, so that to cut off, reorder or change any is noticed.

The STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár, 2015): each segment's nonce is a random prefix, its
number, and whether it is the last one.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.security.crypto import Undecryptable

SEGMENT = 65_536  # bytes in the clear
PREFIX = 7  # bytes, before the first segment
SEALED = SEGMENT + 16


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


class Sealer:
    """Seals one stream. Begin with `prefix`; every segment but the last has SEGMENT bytes."""

    def __init__(self, key: bytes, subject: str) -> None:
        self.prefix = os.urandom(PREFIX)
        self._aead, self._about, self._number = AESGCM(key), subject.encode(), 0

    def seal(self, segment: bytes, *, last: bool) -> bytes:
        sealed = self._aead.encrypt(_nonce(self.prefix, self._number, last), segment, self._about)
        self._number += 1
        return sealed


class Opener:
    """Opens segments of one stream, in any order."""

    def __init__(self, key: bytes, subject: str, prefix: bytes) -> None:
        self._aead, self._about, self._prefix = AESGCM(key), subject.encode(), prefix

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        """Raises Undecryptable."""
        try:
            return self._aead.decrypt(_nonce(self._prefix, number, last), sealed, self._about)
        except (InvalidTag, ValueError):
            raise Undecryptable("a sealed file was changed, cut off or belongs elsewhere") from None


def sealed_size(size: int) -> int:
    """Bytes that `size` bytes take once sealed. An empty stream is one empty segment."""
    return PREFIX + size + 16 * segments(size)


def segments(size: int) -> int:
    return max(1, -(-size // SEGMENT))
