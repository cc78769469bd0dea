"""Which addresses may be given to us to post to. Pure; `shared.outbound` checks where they lead."""

from urllib.parse import urlsplit

from shared.errors import FieldError, Invalid


class AddressRefused(Invalid):
    """Webhooks go to public https addresses; others only where the bank has allowed it."""

    code = "webhook_address_refused"


def check_address(url: str, *, private: bool) -> None:
    """Raises AddressRefused for what is no plain https address; `private` allows http, too."""
    wrong = ""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        wrong = "is no address"
    else:
        if parts.scheme != "https" and not (private and parts.scheme == "http"):
            wrong = "must begin with https://"
        elif not parts.hostname or parts.username or parts.password or parts.fragment:
            wrong = "must be a host and a path, without user, password or fragment"
    if wrong:
        raise AddressRefused(errors=(FieldError("/url", wrong, AddressRefused.code),))
