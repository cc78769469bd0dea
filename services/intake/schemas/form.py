"""The shapes of the form: its keys, its sessions, and what it sends."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.intake.domain.complaint import NARRATIVE_LIMIT, Complainant, Submission
from services.intake.domain.form import Look
from services.intake.schemas.complaint import AmountIn, Free, Text, email_address

Language = Literal["zh-Hant", "zh-Hans", "en"]


class LookIn(BaseModel):
    """The bank's name, its logo (an https address), the colour of buttons and links (`#rrggbb`)."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(max_length=100)]
    logo: Annotated[Text | None, Field(max_length=500)] = None
    colour: Annotated[str, Field(max_length=7)] = "#0b5c7a"

    def to_domain(self) -> Look:
        return Look(self.name, self.logo, self.colour)


class FormIn(BaseModel):
    """A form: in the pages of which sites it may stand, and how it looks."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "Website",
                    "channel": "web_form",
                    "origins": ["https://www.bank.example"],
                    "look": {"name": "Example Bank", "colour": "#7a1f2b"},
                }
            ]
        },
    )

    name: Annotated[Text, Field(max_length=100)]
    channel: Literal["web_form", "mobile"] = "web_form"
    origins: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=50)]
    look: LookIn


class FormOut(BaseModel):
    """A form. `id` is its publishable key, `pk_...`."""

    id: str
    name: str
    channel: str
    origins: list[str]
    look: LookIn
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None


class NewFormOut(FormOut):
    """`identity_secret` signs identities (JWT, HS256) and is shown this once."""

    identity_secret: str


class IdentitySecretOut(BaseModel):
    identity_secret: str


class FormsOut(BaseModel):
    items: list[FormOut]


class SessionIn(BaseModel):
    """Open a form. `identity` is the JWT by which the bank's backend says who is signed in."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(max_length=40)]
    identity: Annotated[str | None, Field(max_length=4000)] = None


class SessionOut(BaseModel):
    """An open form. The proof of work for a complaint is a `nonce` for which SHA-256 of `seed:Idempotency-Key:nonce`
    begins with `bits` zeros. `signed_in_as` is the name in the identity."""

    session: str
    seed: str
    bits: int
    expires_at: AwareDatetime
    signed_in_as: str | None


class FormComplaintIn(BaseModel):
    """What somebody wrote into the form. Who is signed in leaves out the person."""

    model_config = ConfigDict(extra="forbid")

    narrative: Annotated[Text, Field(min_length=1, max_length=NARRATIVE_LIMIT)]
    desired_outcome: Annotated[Text | None, Field(max_length=2000)] = None
    occurred_at: AwareDatetime | None = None
    amount: AmountIn | None = None
    anonymous: bool = False
    name: Annotated[Text | None, Field(max_length=200)] = None
    email: Annotated[str | None, Field(max_length=254), AfterValidator(lambda v: email_address(v) if v else v)] = None
    phone: Annotated[str | None, Field(pattern=r"^\+?[0-9 ()./-]{3,40}$")] = None
    customer_no: Annotated[Text | None, Field(max_length=64)] = None
    language: Language | None = None
    attachments: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=10)] = []
    website: Annotated[Free, Field(max_length=200, description="A trap: people are not shown this field")] = ""

    def missing(self) -> list[str]:
        """The names of what is needed of somebody who is neither signed in nor wants to stay unnamed."""
        if self.anonymous:
            return []
        return [*([] if self.name else ["name"]), *([] if self.email or self.phone else ["email"])]

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "FormComplaintIn":
        if self.anonymous and (self.name or self.phone or self.email or self.customer_no):
            raise PydanticCustomError("anonymous_with_person", "an anonymous complainant has no personal data")
        return self

    def to_domain(self, channel: str, form: str, person: dict[str, str] | None) -> Submission:
        """As the complaint of `person`, who is signed in, or of whoever the form names."""
        if person is not None:
            who: Complainant | None = Complainant(
                person["name"], person.get("phone"), person.get("email"), person["customer_no"]
            )
        elif self.anonymous:
            who = None
        else:
            who = Complainant(self.name or "", self.phone, self.email, self.customer_no)
        return Submission(
            channel=channel,
            narrative=self.narrative,
            complainant=who,
            amount=self.amount.value if self.amount else None,
            currency=self.amount.currency if self.amount else None,
            occurred_at=self.occurred_at,
            desired_outcome=self.desired_outcome,
            language=self.language,
            facts={"form": form, "signed_in": person is not None},
            attachments=tuple(self.attachments),
        )
