"""Codes that services share by word alone: whoever shows or counts them must know all that may arrive."""

from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from services.intake.domain.complaint import CHANNELS
from services.intake.schemas.complaint import ComplaintIn
from services.routing import classifier
from shared import i18n
from shared.events import Outcome, StepName

LANGUAGES = ("zh-Hant", "zh-Hans", "en")
REGISTERS = classifier.load().registers
CODES = [
    *(("department", d.code) for d in REGISTERS.departments),
    *(("category", c.code) for c in REGISTERS.taxonomy.category),
    *(("channel", c) for c in CHANNELS),
    *(("outcome", o) for o in get_args(Outcome)),
    *(("step", s) for s in get_args(StepName)),
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_that_may_arrive_has_a_label(language: str) -> None:
    translator = i18n.translator(language, ZoneInfo("Asia/Hong_Kong"), None)
    without = [(kind, code) for kind, code in CODES if translator.label(kind, code) == code]
    assert without == []


def test_the_api_takes_exactly_the_channels_of_the_domain() -> None:
    assert set(get_args(ComplaintIn.model_fields["channel"].annotation)) == set(CHANNELS)


def test_routing_knows_the_programmes_categories() -> None:
    programme = {"service_quality", "product", "channel", "fees", "information_security", "other"}
    assert {c.code for c in REGISTERS.taxonomy.category} == programme
