"""A certificate authority for a test, in a folder of its own."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Identity:
    """PEM files: `certificate`, its `key`, and `both` in one."""

    certificate: Path
    key: Path
    both: Path
    serial: int


class Authority:
    """`ca` is the PEM file of what to trust."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        made = _builder(self._name, self._name, self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.ca = folder / f"{name}.pem"
        self.ca.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *hosts: str, file: str = "") -> Identity:
        """A certificate of `name` (its CN) for `hosts` (127.0.0.1 and localhost), written to files called `file`."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(_name(name), self._name, key.public_key())
        made = made.add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts or _HERE]), critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        stem = self._folder / (file or f"{name}-{next(_numbers)}")
        found = Identity(stem.with_suffix(".pem"), stem.with_suffix(".key"), stem.with_suffix(".both"), 0)
        public = signed.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        found.certificate.write_bytes(public)
        found.key.write_bytes(private)
        found.both.write_bytes(private + public)
        return Identity(found.certificate, found.key, found.both, signed.serial_number)


_HERE = ("127.0.0.1", "localhost")


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
    )
