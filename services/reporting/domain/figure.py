"""The figures that goals and measures are about, by keys that stay. What each is in words, the catalogue says."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.reporting.domain.place import FILTERS, RATING
from shared.errors import FieldError

# What a figure is counted in, and the least and most that it can be.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "complaints": (0, 1e9),
    "days": (0, 36_525),
    "rating": (1, 5),
    "share": (0, 1),
    "per_thousand": (0, 1e9),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """`unit` is a key of BOUNDS. What it is made of, as far as it can be told by the week: the plain count of the basis
    `counted` (`domain.place.BASES`); the share, `part`, of a basis that has one of some codes of a dimension; or the
    mean of the ratings in column `rated`."""

    key: str
    unit: str
    counted: str | None = None
    part: tuple[str, str, tuple[str, ...]] | None = None
    rated: str | None = None

    @property
    def weekly(self) -> bool:
        """Whether it can be told by the week, so that the effect of a measure on it can be."""
        return not (self.counted is None and self.part is None and self.rated is None)


FIGURES: Mapping[str, Figure] = {
    figure.key: figure
    for figure in (
        Figure("received", "complaints", "received"),
        Figure("received_per_1000_customers", "per_thousand"),
        Figure("resolved", "complaints", "resolved"),
        Figure("closed", "complaints", "closed"),
        Figure("reopened", "complaints", "reopened"),
        Figure("disputed", "complaints", "disputed"),
        Figure("missed_deadlines", "complaints"),
        Figure("missed_deadlines_share", "share"),
        Figure("median_days_to_acknowledge", "days"),
        Figure("median_days_to_respond", "days"),
        Figure("median_days_to_close", "days"),
        Figure("satisfaction_overall", "rating", rated=RATING["overall"]),
        Figure("satisfaction_staff", "rating", rated=RATING["staff"]),
        Figure("satisfaction_product", "rating", rated=RATING["product"]),
        Figure("satisfaction_handling", "rating", rated=RATING["handling"]),
        Figure("satisfied_share", "share"),
        Figure("reopened_share", "share"),
        Figure("disputed_share", "share"),
        Figure("upheld_share", "share", part=("resolved", "outcome", ("upheld", "partly_upheld"))),
        Figure("repeat_share", "share", part=("received", "repeat", ("yes",))),
    )
}


def about_flaws(figure: str, dimension: str | None, code: str | None) -> list[FieldError]:
    """What is wrong with what a goal or a measure says it is about."""
    wrong = []
    if figure not in FIGURES:
        wrong.append(FieldError("/figure", "is no figure that is known here", "unknown_figure"))
    if (dimension is None) != (code is None):
        missing = "/code" if code is None else "/dimension"
        wrong.append(FieldError(missing, "belongs to the other: give both or neither", "filter_incomplete"))
    if dimension is not None and dimension not in FILTERS:
        wrong.append(FieldError("/dimension", f"is none of {', '.join(FILTERS)}", "unknown_dimension"))
    return wrong


def owner_flaws(role: str | None, department: str | None) -> list[FieldError]:
    """An owner is a role, a department, or a role in a department; never a person by name."""
    if role is None and department is None:
        return [FieldError("/owner_department", "nobody owns it: give a department or a role", "owner_missing")]
    return []
