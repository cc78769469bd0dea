"""Findings in plain words."""

from services.reporting.domain.effect import Effect, Verdict
from shared.i18n import Translator

WIDEST = 10.0
"""Ratios beyond which an interval says nothing that a number would make plainer."""


def sentence(effect: Effect, t: Translator) -> str:
    """What became of a figure after a measure, in one sentence."""
    if effect.ratio is None or effect.low is None or effect.high is None:
        return t.gettext(
            "There is too little to go by yet: {before} weeks before the start and {after} weeks since.",
            before=t.number(effect.before),
            after=t.number(effect.after),
        )
    if effect.measure == "difference":
        return _of_mean(effect.verdict, effect.ratio, effect.low, effect.high, t)
    if effect.measure == "odds_ratio":
        return _of_share(effect.verdict, effect.ratio, effect.low, effect.high, t)
    return _of_count(effect.verdict, effect.ratio, effect.low, effect.high, t)


def _of_count(verdict: Verdict, ratio: float, low: float, high: float, t: Translator) -> str:
    if verdict is Verdict.FEWER:
        return t.gettext(
            "Since the start there were {size} fewer than would have been expected without the measure; "
            "with 95% confidence, between {low} and {high} fewer.",
            size=t.percent(1 - ratio),
            low=t.percent(1 - high),
            high=t.percent(1 - low),
        )
    if verdict is Verdict.MORE:
        return t.gettext(
            "Since the start there were {size} more than would have been expected without the measure; "
            "with 95% confidence, between {low} and {high} more.",
            size=t.percent(ratio - 1),
            low=t.percent(low - 1),
            high=t.percent(high - 1),
        )
    if high > WIDEST:
        return t.gettext("No clear effect: the figure goes up and down so much that hardly anything can be ruled out.")
    return t.gettext(
        "No clear effect: with 95% confidence, the change lies between {low} fewer and {high} more.",
        low=t.percent(max(1 - low, 0)),
        high=t.percent(max(high - 1, 0)),
    )


def _of_share(verdict: Verdict, ratio: float, low: float, high: float, t: Translator) -> str:
    found = {"ratio": _two(ratio, t), "low": _two(low, t), "high": _two(high, t)}
    if verdict is Verdict.FEWER:
        return t.gettext(
            "The share is lower than would have been expected without the measure: its odds are {ratio} times what "
            "they would have been; with 95% confidence, between {low} and {high} times.",
            **found,
        )
    if verdict is Verdict.MORE:
        return t.gettext(
            "The share is higher than would have been expected without the measure: its odds are {ratio} times what "
            "they would have been; with 95% confidence, between {low} and {high} times.",
            **found,
        )
    return t.gettext(
        "No clear effect: with 95% confidence, the odds of the share are between {low} and {high} times what they "
        "would have been without the measure.",
        low=found["low"],
        high=found["high"],
    )


def _of_mean(verdict: Verdict, size: float, low: float, high: float, t: Translator) -> str:
    if verdict is Verdict.FEWER:
        return t.gettext(
            "The average is {size} lower than would have been expected without the measure; "
            "with 95% confidence, between {low} and {high} lower.",
            size=_two(-size, t),
            low=_two(-high, t),
            high=_two(-low, t),
        )
    if verdict is Verdict.MORE:
        return t.gettext(
            "The average is {size} higher than would have been expected without the measure; "
            "with 95% confidence, between {low} and {high} higher.",
            size=_two(size, t),
            low=_two(low, t),
            high=_two(high, t),
        )
    return t.gettext(
        "No clear effect: with 95% confidence, the average has changed by between {low} and {high}.",
        low=_two(low, t),
        high=_two(high, t),
    )


def caveats(effect: Effect, t: Translator) -> list[str]:
    """What the reader must know before crediting the measure."""
    if effect.verdict is Verdict.TOO_LITTLE_DATA:
        return []
    found = []
    if not effect.controls:
        found.append(t.gettext("Nothing was compared with: what else changed at that time may be the cause as well."))
        if not effect.season:
            found.append(t.gettext("Seasons could not be taken out: that takes two years of history."))
        if not effect.trend:
            found.append(t.gettext("A trend that was there before could not be taken out."))
    else:
        found.append(
            t.gettext("What changed at that time here alone, and not in the others, may be the cause as well.")
        )
    return found


def _two(value: float, t: Translator) -> str:
    return t.number(round(value, 2))
