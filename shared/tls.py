"""TLS contexts, for servers and clients alike: whom we trust, and who we are.

Nothing here trusts without checking: a link is checked or it is in the clear, on purpose, by a setting. Certificates
are renewed while we run, so a context reads its own anew, at the next handshake, when the files have changed; a renewed
authority is added to those that are trusted (one that is to be trusted no more needs a restart).
"""

import ssl
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()


class Context(ssl.SSLContext):
    """An SSLContext, TLS 1.2 or later, that follows its files."""

    _files: tuple[Path | None, Path | None, Path | None] = (None, None, None)
    _seen: tuple[int, ...] = ()

    def follow(self, *, ca: Path | None, certificate: Path | None, key: Path | None) -> None:
        """Trust the authorities in `ca` and show `certificate` (PEM with its chain; `key` unset: it is in there, too).
        Raises OSError (ssl.SSLError among it) for files that are not there or do not fit together."""
        self._files = (ca, certificate, key)
        self._seen = self._stamps()
        self._load()

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        self._renew()
        return super().wrap_bio(*args, **options)

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        self._renew()
        return super().wrap_socket(*args, **options)

    def _load(self) -> None:
        ca, certificate, key = self._files
        if ca is not None:
            self.load_verify_locations(ca)
        if certificate is not None:
            self.load_cert_chain(certificate, key)

    def _renew(self) -> None:
        try:
            found = self._stamps()
            if found == self._seen:
                return
            _, certificate, key = self._files
            if certificate is not None:  # a pair that is half written must not spoil the one in use
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
            self._load()
            self._seen = found
            log.info("tls.renewed")
        except OSError as error:
            log.warning("tls.not_renewed", error=type(error).__name__)  # tried again at the next handshake

    def _stamps(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in self._files if file is not None)


def client(*, ca: Path | None, certificate: Path | None, key: Path | None, names: bool = True) -> Context:
    """For connections that we open. The other side must have a certificate of `ca` (unset: of what the machine trusts)
    that bears its name, or with `names=False` any name. Raises OSError."""
    made = Context(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = names
    if ca is None:
        made.load_default_certs()
    made.follow(ca=ca, certificate=certificate, key=key)
    return made


def server(*, certificate: Path, key: Path | None, ca: Path | None = None) -> Context:
    """For connections that others open. With `ca`, only who shows a certificate of it is let in. Raises OSError."""
    made = Context(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        made.verify_mode = ssl.CERT_REQUIRED
    made.follow(ca=ca, certificate=certificate, key=key)
    return made
