"""The commands of the classifier: train, evaluate, cross-validate, explain."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.common import console

app = typer.Typer(no_args_is_help=True, help="The model that tells what a complaint is about.")

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, also .csv.gz")]
TextColumn = Annotated[list[str], typer.Option(help="Column of the text; several are joined")]
LabelColumn = Annotated[str, typer.Option(help="Column of the right answer")]
Folder = Annotated[Path, typer.Argument(exists=True, help="What `train` wrote")]


def attach(to: typer.Typer) -> None:
    """Add these commands to `to`."""
    to.add_typer(app, name="classifier")


def _read(file: Path, text: list[str], label: str) -> Any:
    from services.routing.classifier.labelled import BadFile, read

    try:
        found = read(file, text=text, label=label)
    except BadFile as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    if found.left_out:
        typer.echo(f"Left out, without text or label: {found.left_out:,} rows.", err=True)
    return found


def _train(texts: Any, labels: Any) -> Any:
    from services.routing.classifier.evaluation import HEAD
    from services.routing.classifier.training import TooLittle, train

    try:
        return train(texts, {HEAD: labels})
    except TooLittle as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _model(folder: Path) -> Any:
    from services.routing.classifier.model import BadModel, read

    try:
        return read(folder)
    except BadModel as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(2) from None


@app.command()
def train(
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="CSV, also .csv.gz; none: officers' corrections")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="Column of the text; several are joined")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the right answer")] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for the model; none: a candidate for the desk")
    ] = None,
    by: Annotated[str, typer.Option(help="Who trains it, for the audit trail")] = "redress classifier train",
) -> None:
    """Train a model on labelled texts, or on what officers have corrected.

    Without `--out` it is compared with the model in use on a held-out part and kept as a candidate, or as refused where
    it does worse; a supervisor puts a candidate in use.
    """
    if file is None and out is not None:
        raise typer.BadParameter("a model in a folder needs a file of labelled texts", param_hint="--out")
    if file is not None and not (text and label):
        raise typer.BadParameter("are needed with a file", param_hint="--text, --label")
    found = _read(file, text or [], label or "") if file is not None else None
    if out is None or found is None:
        asyncio.run(_candidate(found, by))
        return
    with console.status(f"Training on {len(found.texts):,} texts ..."):
        model = _train(found.texts, found.labels)
    out.mkdir(parents=True, exist_ok=True)
    content = model.encode()
    (out / "model.npz").write_bytes(content)
    console.print(
        f"{model.version}: {len(found.texts):,} texts, {len(model.vocabulary):,} features, "
        f"{len(content) / 1e6:.1f} MB in {out}",
        soft_wrap=True,
        markup=False,
    )


async def _candidate(found: Any, by: str) -> None:
    """Train, compare and record; prints JSON. `found`: labelled texts, None for officers' corrections."""
    from deploy.registry import SERVICES
    from services.routing.classifier import load, shipped
    from services.routing.classifier.retraining import Example, retrain
    from services.routing.classifier.training import TooLittle
    from services.routing.usecases import models
    from shared.clock import utcnow

    service = SERVICES["routing"]
    settings = service.settings()
    service.migrate(settings)
    db = service.database(settings)
    try:
        async with db.reading() as tx:
            current = await models.in_use(tx, shipped())
            examples = await models.corrections(tx) if found is None else None
        if examples is None:
            examples = [
                Example(hashlib.sha256(text.encode()).hexdigest(), text, label)
                for text, label in zip(found.texts, found.labels, strict=True)
            ]
        if unknown := models.unknown_types(examples, load(settings.routing_registers).categories):
            console.print(f"No types of this desk: {', '.join(unknown)}", markup=False, soft_wrap=True)
            raise typer.Exit(2)
        try:
            with console.status(f"Training on {len(examples):,} examples ..."):
                model, comparison = await asyncio.to_thread(retrain, examples, current)
        except TooLittle as error:
            console.print(str(error), markup=False, soft_wrap=True)
            raise typer.Exit(2) from None
        async with db.transaction() as tx:
            row = await models.record(tx, model, comparison, compared_with=current.version, by=by, now=utcnow())
            state = row.state
    finally:
        await db.close()
    told = {"model": model.version, "state": state, "compared_with": current.version}
    typer.echo(json.dumps(told | comparison.as_dict()))
    if state == "refused":
        raise typer.Exit(1)


@app.command()
def evaluate(folder: Folder, file: File, text: TextColumn, label: LabelColumn) -> None:
    """Compare a model's answers with labelled texts; prints JSON."""
    from services.routing.classifier.evaluation import HEAD
    from services.routing.classifier.evaluation import evaluate as measure

    model = _model(folder)
    found = _read(file, text, label)
    typer.echo(json.dumps(measure(model, HEAD, found.texts, found.labels).as_dict()))


@app.command("cross-validate")
def cross_validate(
    file: File, text: TextColumn, label: LabelColumn, folds: Annotated[int, typer.Option(min=2, max=20)] = 5
) -> None:
    """Train and evaluate on parts of one file in turn, each text decided without having been learnt; prints JSON."""
    from services.routing.classifier.evaluation import cross_validate as measure

    found = _read(file, text, label)
    with console.status(f"Training {folds} times on {len(found.texts):,} texts ..."):
        figures = measure(found.texts, found.labels, folds=folds, train=_train)
    typer.echo(json.dumps(figures.as_dict()))


@app.command()
def explain(folder: Folder, text: Annotated[str, typer.Argument(help="A complaint")]) -> None:
    """What a model makes of a text, and which words weighed how much."""
    model = _model(folder)
    for head in model.heads:
        chances = model.predict(head, model.see(text))
        winner = next(iter(chances))
        console.print(f"{head}: " + ", ".join(f"{c} {p:.2f}" for c, p in list(chances.items())[:3]), markup=False)
        for word in model.explain(head, text, winner):
            console.print(f"  {word.weight:+.3f}  {word.text}", markup=False)


@app.command()
def starter(
    out: Annotated[Path, typer.Option(dir_okay=False, help="The model's file")],
    texts: Annotated[int, typer.Option(min=600)] = 9000,
) -> None:
    """Train the model that the project ships, on texts that it makes up; prints JSON of how it does on others."""
    from services.routing.classifier.decide import PRODUCT, TYPE
    from services.routing.classifier.evaluation import evaluate as measure
    from services.routing.classifier.retraining import first

    with console.status(f"Training on {texts:,} made-up texts ..."):
        model, check = first(texts)
    out.write_bytes(model.encode())
    named = [one for one in check if one.product is not None]
    figures = {
        "type": measure(model, TYPE, [one.text for one in check], [one.type for one in check]),
        "product": measure(model, PRODUCT, [one.text for one in named], [str(one.product) for one in named]),
    }
    typer.echo(json.dumps({"model": model.version} | {name: found.as_dict() for name, found in figures.items()}))
