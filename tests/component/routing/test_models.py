"""Models made from officers' corrections: compared, adopted on a supervisor's word, put back, and followed."""

import asyncio
import hashlib
from typing import Any

import pytest

from services.routing import store
from services.routing.classifier import OWN, Current, shipped
from services.routing.classifier.model import Model
from services.routing.classifier.retraining import Comparison, Example, retrain, share
from services.routing.classifier.starter import generate
from services.routing.classifier.training import TooLittle
from services.routing.store.learning import TrainedModel
from services.routing.usecases import models, opening
from services.routing.usecases.models import Follower

MADE_UP = 2_000
ODD = "The zorblat of my quixem was frumpled by the vostro {n}."


def corrected(*, wrong: bool) -> list[Example]:
    """Complaints in a slang that no model knows, all of them about fees; or well-known ones with wrong answers."""
    if wrong:
        ids = [(one, hashlib.sha256(one.text.encode()).hexdigest()) for one in generate(600, 7)]
        return [Example(id, one.text, one.type if share(id) == "check" else _other(one.type)) for one, id in ids]
    return [Example(f"odd-{n}", ODD.format(n=n), "fees") for n in range(300)]


def _other(type: str) -> str:
    return "fees" if type != "fees" else "service_quality"


@pytest.fixture(scope="module")
def better() -> tuple[Model, Comparison]:
    return retrain(corrected(wrong=False), shipped(), made_up=MADE_UP)


@pytest.fixture(scope="module")
def worse() -> tuple[Model, Comparison]:
    return retrain(corrected(wrong=True), shipped(), made_up=MADE_UP)


async def keep(routing: Any, made: tuple[Model, Comparison]) -> TrainedModel:
    async with routing.db.transaction() as tx:
        return await models.record(tx, *made, compared_with=shipped().version, by="trainer", now=routing.now[0])


async def listed(routing: Any) -> dict[str, str]:
    answer = await routing.get("/v1/models", who="auditor")
    assert answer.status_code == 200, answer.text
    return {one["version"]: one["state"] for one in answer.json()}


def test_a_model_that_does_worse_on_the_held_out_part_is_no_better(worse: tuple[Model, Comparison]) -> None:
    _, comparison = worse
    assert comparison.candidate.accuracy < comparison.in_use.accuracy
    assert not comparison.better


def test_labels_that_are_mixed_up_are_refused_though_they_agree_with_one_another() -> None:
    mixed = [Example(str(n), one.text, _other(one.type)) for n, one in enumerate(generate(800, 7, part="heldout"))]
    _, comparison = retrain(mixed, shipped(), made_up=MADE_UP)
    assert comparison.candidate.accuracy > comparison.in_use.accuracy
    assert not comparison.better


def test_a_model_that_has_learnt_something_is_better(better: tuple[Model, Comparison]) -> None:
    model, comparison = better
    assert comparison.candidate.accuracy > comparison.in_use.accuracy
    assert comparison.better
    assert next(iter(model.predict("type", model.see(ODD.format(n="x"))))) == "fees"


def test_too_few_examples_are_no_ground_for_a_comparison() -> None:
    with pytest.raises(TooLittle, match="at least 40"):
        retrain(corrected(wrong=False)[:50], shipped(), made_up=MADE_UP)


async def test_a_worse_model_is_refused_for_good(routing: Any, worse: tuple[Model, Comparison]) -> None:
    row = await keep(routing, worse)
    assert (await listed(routing))[row.version] == "refused"
    answer = await routing.post(f"/v1/models/{row.version}/adopt", who="supervisor")
    assert (answer.status_code, answer.json()["code"]) == (409, "model_refused")
    assert (await listed(routing))[shipped().version] == "in_use"


async def test_a_better_model_is_adopted_on_a_supervisors_word_and_put_back(
    routing: Any, better: tuple[Model, Comparison], make: Any
) -> None:
    version = (await keep(routing, better)).version
    current = Current(OWN, shipped())
    follower = Follower(routing.db, current, shipped())
    await follower.look()
    assert current.book.model is shipped(), "a candidate decides nothing"

    for who in ("officer", "auditor", "admin"):
        assert (await routing.post(f"/v1/models/{version}/adopt", who=who)).status_code == 403
    answer = await routing.post(f"/v1/models/{version}/adopt", who="supervisor")
    assert answer.status_code == 200, answer.text
    assert await listed(routing) == {version: "in_use", shipped().version: "retired"}
    (first, _) = answer.json()
    assert (first["decided_by"], first["compared_with"]) == ("key:supervisor", shipped().version)
    assert first["figures"]["candidate"]["accuracy"] > first["figures"]["in_use"]["accuracy"]

    await follower.look()
    assert current.book.model is not None
    assert current.book.classify(ODD.format(n=1)).category == "fees"
    assert current.book.classify(ODD.format(n=1)).model == version, "every decision keeps its model"

    back = await routing.post(f"/v1/models/{shipped().version}/adopt", who="supervisor")
    assert back.status_code == 200
    await follower.look()
    assert current.book.model is shipped()
    assert await listed(routing) == {version: "retired", shipped().version: "in_use"}
    again = await routing.post(f"/v1/models/{version}/adopt", who="supervisor")
    assert again.json()[0]["state"] == "in_use", "an earlier one can be taken again"
    assert await routing.scalar("SELECT count(*) FROM audit WHERE action = 'model.adopted'") == 3


async def test_decisions_go_on_while_the_model_changes(routing: Any, better: tuple[Model, Comparison]) -> None:
    version = (await keep(routing, better)).version
    current = Current(OWN, shipped())
    follower = Follower(routing.db, current, shipped())
    seen = []

    async def deciding() -> None:
        while not seen or seen[-1] != version:
            found = current.book.classify("My card was charged a late fee although I had paid on time.")
            seen.append(found.model)
            await asyncio.sleep(0)

    task = asyncio.create_task(deciding())
    await routing.post(f"/v1/models/{version}/adopt", who="supervisor")
    await follower.look()
    await asyncio.wait_for(task, 10)
    assert set(seen) == {shipped().version, version}


async def test_a_model_that_cannot_be_read_leaves_the_one_in_use(
    routing: Any, better: tuple[Model, Comparison]
) -> None:
    version = (await keep(routing, better)).version
    async with routing.db.transaction() as tx:
        row = await tx.get(TrainedModel, version)
        row.content = b"rubbish"
    await routing.post(f"/v1/models/{version}/adopt", who="supervisor")
    current = Current(OWN, shipped())
    await Follower(routing.db, current, shipped()).look()
    assert current.book.model is shipped()


async def test_there_is_no_such_model(routing: Any) -> None:
    assert (await routing.post("/v1/models/other-000000000000/adopt", who="supervisor")).status_code == 404


async def test_corrections_are_what_officers_said_of_texts_that_are_still_there(
    routing: Any, make: Any, id_of: Any
) -> None:
    await routing.hear(make.received(1), make.received(2))
    for n in (1, 2):
        answer = await routing.do("triage", {"category": "service_quality", "product": "mortgage"}, n=n)
        assert answer.status_code == 200, answer.text
    async with routing.db.transaction() as tx:
        assert [(e.type, e.product) for e in await models.corrections(tx)] == [("service_quality", "mortgage")] * 2
        await opening.forget(tx, (await store.cases(tx, [id_of(1)]))[id_of(1)])
    async with routing.db.reading() as tx:
        assert [e.id for e in await models.corrections(tx)] == [id_of(2)]
