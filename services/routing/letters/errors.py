"""Why a letter cannot go out as it is."""

from shared.errors import Refused


class LetterIncomplete(Refused):
    """This letter may not go out without what is missing. `errors` names each part as a field."""

    code = "letter_incomplete"


class MandatoryTextMissing(Refused):
    """The edited letter lacks a text that it must hold. `errors` names each, with the words."""

    code = "mandatory_text_missing"


class BadLetters(ValueError):
    """The letters' data cannot be used. The text names the file and the entry."""
