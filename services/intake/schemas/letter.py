"""The shapes of the bank's letters to a complainant."""

from datetime import date

from pydantic import AwareDatetime, BaseModel


class LetterOut(BaseModel):
    """A letter of the bank. `dispatch` carries it; `via` and `state` say how, and whether it has gone out."""

    id: str
    kind: str
    language: str
    subject: str
    issued_on: date
    dispatch: str
    via: str
    state: str
    settled_at: AwareDatetime | None


class OpenedLetterOut(LetterOut):
    """With its words, the name filled in."""

    text: str


class LettersOut(BaseModel):
    """All of a complaint, the oldest first."""

    items: list[LetterOut]
