"""The shapes of links between complaints."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field


class LinkedOut(BaseModel):
    """One of the two complaints in a link."""

    id: str
    reference: str = Field(examples=["261123-7T51-DVFS9"])
    channel: str
    received_at: AwareDatetime
    product: str | None
    branch: str | None


class LinkOut(BaseModel):
    """Two complaints of one person that may be one matter. `score` is 0 to 1; `reasons` are codes: near_text,
    same_subject, same_amount, same_day, same_transaction, quotes_reference, same_product, same_branch.

    `governs_from` is the earliest receipt among all complaints confirmed to be the matter of the later one.
    """

    id: str
    state: Literal["suggested", "confirmed", "rejected"]
    score: float
    reasons: list[str]
    earlier: LinkedOut
    later: LinkedOut
    governs_from: AwareDatetime
    created_at: AwareDatetime
    decided_at: AwareDatetime | None
    decided_by: str | None


class LinksOut(BaseModel):
    """A complaint's links, and since when its matter runs."""

    items: list[LinkOut]
    governs_from: AwareDatetime


class LinkPage(BaseModel):
    """`next` is the cursor of the next page, null on the last."""

    items: list[LinkOut]
    next: str | None
