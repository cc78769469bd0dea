"""Whom a letter addresses. Who writes it does not know: `{complainant}` stands for the name, and intake fills it in."""

from shared.i18n import catalogue, mark

COMPLAINANT = "{complainant}"
_NOBODY = mark("Customer")


def called(complainant: str | None, language: str) -> str:
    """The name; where none is known, the word by which the language addresses anybody."""
    return " ".join((complainant or "").split()) or str(catalogue(language).gettext(_NOBODY))


def addressed(text: str, complainant: str | None, language: str) -> str:
    """`text` with the name in its place, as `called` has it."""
    return text.replace(COMPLAINANT, called(complainant, language))
