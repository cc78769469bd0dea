"""The bill of materials, and under what terms we use what is on it."""

import re

import pytest
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.sbom import LOCK, bom, licences, locked

COPYLEFT = re.compile(r"(?i)\b(A?GPL|SSPL|BUSL|EUPL|OSL|CC-BY-(NC|SA)|proprietary|commercial|GNU (Affero )?General)")
LESSER = re.compile(r"(?i)\bLGPL|GNU Lesser")
LESSER_KNOWN: dict[str, str] = {}
"""Packages under the LGPL, and how we keep to it. None today."""
FILE_BY_FILE = {"certifi", "orjson"}
"""Under the MPL 2.0: used as they come, so there is nothing of theirs that we would have to publish."""


def test_every_package_of_the_lock_is_on_a_valid_bill() -> None:
    made = bom(LOCK.read_text())
    text = JsonV1Dot6(made).output_as_string()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    pinned = {line.partition("==")[0] for line in LOCK.read_text().splitlines() if re.match(r"[a-z0-9]\S*==", line)}
    assert {c.name for c in made.components} == {name.partition("[")[0] for name in pinned}
    assert len(pinned) > 80
    needed = {str(d.ref): {str(inner.ref) for inner in d.dependencies} for d in made.dependencies}
    ours = {ref.partition("@")[0] for ref in needed["redress"]}
    assert {"pkg:pypi/fastapi", "pkg:pypi/aiokafka"} <= ours
    fastapi = next(refs for ref, refs in needed.items() if ref.startswith("pkg:pypi/fastapi@"))
    assert any(ref.startswith("pkg:pypi/starlette@") for ref in fastapi)


def test_a_package_without_a_hash_is_refused() -> None:
    hashed = (
        "one==1.0 \\\n    --hash=sha256:00\n    # via two\n"
        "two==2.0 ; python_version < '3.12' \\\n    --hash=sha256:01\n    # via -r requirements/run.in\n"
    )
    one, two = locked(hashed)
    assert (one.needed_by, two.version, two.needed_by) == (["two"], "2.0", ["redress"])
    for line in ("    --hash=sha256:00\n", "    --hash=sha256:01\n"):
        with pytest.raises(ValueError, match="no hash"):
            locked(hashed.replace(line, ""))


def test_nothing_that_we_run_on_is_copyleft() -> None:
    told = {one.name: licences(one.name) for one in locked(LOCK.read_text()) if not one.marker}
    silent = {name for name, words in told.items() if not words}
    assert not silent, f"nobody knows under what terms we use {silent}"
    lesser = {name for name, words in told.items() if any(LESSER.search(w) for w in words)}
    assert lesser == set(LESSER_KNOWN)
    wrong = {name: words for name, words in told.items() if any(COPYLEFT.search(w) for w in words)}
    assert not wrong
    mozilla = {name for name, words in told.items() if any(re.search(r"MPL|Mozilla", w) for w in words)}
    assert mozilla == FILE_BY_FILE


@pytest.mark.parametrize("name", ["AGPL-3.0-only", "GNU General Public License v3 (GPLv3)", "GPL-2.0-or-later"])
def test_the_search_knows_copyleft_when_it_sees_it(name: str) -> None:
    assert COPYLEFT.search(name)
    assert not COPYLEFT.search("LGPL-3.0-only")
