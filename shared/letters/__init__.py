"""Letters to complainants as they are printed: one look, three languages."""

from shared.letters.pdf import render
from shared.letters.person import COMPLAINANT, addressed, called

__all__ = ["COMPLAINANT", "addressed", "called", "render"]
