"""TLS of the PostgreSQL and Kafka that we start ourselves: mutual, or none."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerTls:
    """PEM files by which a server shows who it is, and whose certificates (`ca`) its clients must show. `both` has key
    and certificate in one file."""

    ca: Path
    certificate: Path
    key: Path
    both: Path

    def client(self) -> ssl.SSLContext:
        """For a connection to that very server, made as the server itself."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.both)
        return context
