"""Whom a letter addresses. Who writes it does not know: `{complainant}` stands for the name, and intake fills it in."""

from shared.i18n import catalogue, mark

COMPLAINANT = "{complainant}"
_NOBODY = mark("Customer")


def addressed(text: str, complainant: str | None, language: str) -> str:
    """`text` with the name in its place; where none is known, the word by which the language addresses anybody."""
    name = " ".join((complainant or "").split()) or str(catalogue(language).gettext(_NOBODY))
    return text.replace(COMPLAINANT, name)
