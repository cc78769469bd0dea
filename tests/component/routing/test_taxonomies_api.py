"""The taxonomies over the API."""

from typing import Any

import pytest

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def test_every_taxonomy_is_listed_with_its_versions_and_sources(routing: Any) -> None:
    found = (await routing.get("/v1/taxonomies")).json()
    assert found[0]["name"] == "programme"
    assert {"cfpb", "fca", "jrt_0169"} < {one["name"] for one in found}
    for one in found:
        assert set(one["labels"]) == {"zh-Hant", "zh-Hans", "en"}
        assert one["versions"]
        assert all(version["source"] for version in one["versions"])


async def test_the_banks_own_taxonomy_is_the_one_it_decides_by(routing: Any) -> None:
    own = (await routing.get("/v1/taxonomies/programme")).json()
    assert "fees" in [term["code"] for term in own["terms"]["type"]]
    assert own["crosswalk"] == []


async def test_a_regulators_taxonomy_comes_with_the_way_to_it(routing: Any) -> None:
    fca = (await routing.get("/v1/taxonomies/fca")).json()
    codes = {axis: {term["code"] for term in terms} for axis, terms in fca["terms"].items()}
    own = (await routing.get("/v1/taxonomies/programme")).json()
    types = {term["code"] for term in own["terms"]["type"]}
    assert {way["code"] for way in fca["crosswalk"] if way["kind"] == "type"} == types
    for way in fca["crosswalk"]:
        assert way["to"] in codes[way["axis"]] or (way["to"] is None and way["note"])


async def test_the_day_decides_the_version(routing: Any) -> None:
    versions = next(one["versions"] for one in (await routing.get("/v1/taxonomies")).json() if len(one["versions"]) > 1)
    name = next(one["name"] for one in (await routing.get("/v1/taxonomies")).json() if one["versions"] == versions)
    for version in versions:
        day = version["effective_from"] or version["effective_to"]
        answer = await routing.get(f"/v1/taxonomies/{name}", on=day)
        assert answer.json()["version"]["id"] == version["id"]


async def test_what_is_not_there_is_not_found(routing: Any) -> None:
    assert (await routing.get("/v1/taxonomies/moon")).status_code == 404
    assert (await routing.get("/v1/taxonomies/fca", on="1901-01-01")).status_code in (200, 404)
    assert (await routing.get("/v1/taxonomies/fca", on="tomorrow")).status_code == 422
    assert (await routing.get("/v1/taxonomies", who="agent")).status_code == 403
