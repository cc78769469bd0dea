"""The papers on security name what shows their claims; a name that leads nowhere is a claim without evidence."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "docs" / "security" / "threat-model.md"
TABLE = ROOT / "docs" / "security" / "asvs.md"
STATES = {"met", "open", "n/a", "operator"}
# Levels 1 and 2 of ASVS 4.0.3: per section the numbers that are left (some were deleted, some are of level 3 alone).
LEVEL_2 = {
    "1.1": "1-7", "1.2": "1-4", "1.4": "1,4,5", "1.5": "1-4", "1.6": "1-4", "1.7": "1,2", "1.8": "1,2", "1.9": "1,2",
    "1.10": "1", "1.11": "1,2", "1.12": "2", "1.14": "1-6",
    "2.1": "1-12", "2.2": "1-3", "2.3": "1-3", "2.4": "1-5", "2.5": "1-7", "2.6": "1-3", "2.7": "1-6", "2.8": "1-7",
    "2.9": "1-3", "2.10": "1-4",
    "3.1": "1", "3.2": "1-4", "3.3": "1-4", "3.4": "1-5", "3.5": "1-3", "3.7": "1",
    "4.1": "1-3,5", "4.2": "1,2", "4.3": "1-3",
    "5.1": "1-5", "5.2": "1-8", "5.3": "1-10", "5.4": "1-3", "5.5": "1-4",
    "6.1": "1-3", "6.2": "1-6", "6.3": "1,2", "6.4": "1,2",
    "7.1": "1-4", "7.2": "1,2", "7.3": "1,3,4", "7.4": "1-3",
    "8.1": "1-4", "8.2": "1-3", "8.3": "1-8",
    "9.1": "1-3", "9.2": "1-4",
    "10.2": "1,2", "10.3": "1-3",
    "11.1": "1-8",
    "12.1": "1-3", "12.2": "1", "12.3": "1-6", "12.4": "1,2", "12.5": "1,2", "12.6": "1",
    "13.1": "1,3-5", "13.2": "1-3,5,6", "13.3": "1,2", "13.4": "1,2",
    "14.1": "1-4", "14.2": "1-6", "14.3": "2,3", "14.4": "1-7", "14.5": "1-4",
}  # fmt: skip


@cache
def _tests_in(file: str) -> frozenset[str]:
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / file).read_text(), re.MULTILINE))


def _broken(text: str) -> list[str]:
    """What `text` names in backticks as a test or a file of ours, and is none."""
    wrong = []
    for named in re.findall(r"`([\w./-]+\.(?:py|md|in|toml|yaml|svg)(?:::\w+)?|[\w./]*(?:\.ci/run|Dockerfile))`", text):
        file, _, test = named.partition("::")
        if not (ROOT / file).is_file() or (test and test not in _tests_in(file)):
            wrong.append(named)
    return wrong


@pytest.mark.parametrize("paper", [MODEL, TABLE, ROOT / "docs" / "privacy.md"], ids=lambda path: path.stem)
def test_every_test_that_is_named_exists(paper: Path) -> None:
    assert _broken(paper.read_text()) == []


def test_a_name_that_leads_nowhere_is_found() -> None:
    here = "tests/unit/shared/test_security_docs.py"
    assert _broken(f"`{here}::test_a_name_that_leads_nowhere_is_found` `.ci/run` `deploy/Dockerfile`") == []
    lost = [f"{here}::test_that_never_was", "tests/unit/nothing.py", "docs/nothing.md"]
    assert _broken(" ".join(f"`{name}`" for name in lost)) == lost


def test_every_threat_has_an_answer_and_what_shows_it() -> None:
    text = MODEL.read_text()
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| [STRIDE](/[STRIDE])? \|", line)]
    assert len(rows) > 50
    for row in rows:
        assert len(row) == 4, row
        assert "`tests/" in row[3], f"nothing shows the answer to: {row[1]}"
    assert {letter for row in rows for letter in re.findall("[STRIDE]", row[0])} == set("STRIDE")


def test_the_table_has_every_requirement_with_evidence_or_a_reason() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TABLE.read_text().splitlines()
        if re.match(r"\| \d", line)
    ]
    found = [row[0] for row in rows]
    wanted = [f"{section}.{number}" for section, numbers in LEVEL_2.items() for number in _numbers(numbers)]
    assert found == wanted
    for number, what, state, why in rows:
        assert what, number
        assert state in STATES, number
        if state == "met":
            assert re.fullmatch(r"(`[^`]+`\s*)+", why), f"{number} names no evidence"
        else:
            assert len(why) >= 6, f"{number} gives no reason"


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
