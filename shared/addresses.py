"""Which addresses may be given to us to post to. Pure; `shared.outbound` checks where they lead."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from shared.errors import FieldError, Invalid

# One reading for every parser: nothing that some would drop, turn round or take for something else. Names of other
# scripts are written as DNS has them (xn--...).
_PLAIN = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,2000}\Z")
_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?\Z")
_NUMBER = re.compile(r"(?i)(0x[0-9a-f]*|[0-9]+)\Z")
_GLOBAL = ip_network("2000::/3")  # all of IPv6 that is handed out for the open internet
_NAT64 = ip_network("64:ff9b::/96")
_NOT_GLOBAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))  # Python 3.11 takes them for such


class AddressRefused(Invalid):
    """Webhooks go to public https addresses; others only where the bank has allowed it."""

    code = "webhook_address_refused"


def check_address(url: str, *, private: bool) -> None:
    """Raises AddressRefused for what is no plain https address, or an IP address that is not public; `private` allows
    such, and http, too."""
    wrong = ""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        wrong = "is no address"
    else:
        if parts.scheme != "https" and not (private and parts.scheme == "http"):
            wrong = "must begin with https://"
        elif not parts.hostname or parts.username or parts.password or parts.fragment or not _PLAIN.match(url):
            wrong = "must be a host and a path, without user, password or fragment"
        elif port == 0 or not _is_host(parts.hostname, private=private):
            wrong = "must name a host of the open internet"
    if wrong:
        raise AddressRefused(errors=(FieldError("/url", wrong, AddressRefused.code),))


def _is_host(host: str, *, private: bool) -> bool:
    try:
        ip_address(host)
    except ValueError:
        # a last part that is a number makes an IPv4 address of it in older notations (2130706433, 0x7f.1, 0177.1)
        return bool(_NAME.match(host)) and not _NUMBER.match(host.rstrip(".").rpartition(".")[2])
    return private or is_public(host)


def is_public(address: str) -> bool:
    """Whether `address` is one of the open internet: not private, loopback, link-local (cloud metadata), reserved, or
    an IPv6 form of one that is."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in _NAT64:
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found not in _GLOBAL:
            return False
    return found.is_global and not found.is_multicast and not any(found in network for network in _NOT_GLOBAL)
