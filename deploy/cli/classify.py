"""The commands of the classifier: train, evaluate, cross-validate, explain."""

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
    file: File,
    text: TextColumn,
    label: LabelColumn,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the model")],
) -> None:
    """Train a model on labelled texts."""
    found = _read(file, text, label)
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
    from services.routing.classifier import evaluation, training
    from services.routing.classifier import starter as made_up

    learn = list(made_up.generate(texts, 1))
    other = list(made_up.generate(texts // 2, 2, part="heldout"))
    situations = sorted({one.situation for one in other})
    calibrating = set(situations[::2])  # and the other situations to measure on
    calibrate = [one for one in other if one.situation in calibrating]
    check = [one for one in other if one.situation not in calibrating]
    with console.status(f"Training on {texts:,} made-up texts ..."):
        model = training.train(
            *_asked(learn), apart=_asked(calibrate), recipe=training.Recipe(keep=16_000, half=True), name="starter"
        )
    out.write_bytes(model.encode())
    of_product = [one for one in check if one.product is not None]
    figures = {
        "type": evaluation.evaluate(model, "type", [one.text for one in check], [one.type for one in check]),
        "product": evaluation.evaluate(
            model, "product", [one.text for one in of_product], [str(one.product) for one in of_product]
        ),
    }
    typer.echo(json.dumps({"model": model.version} | {name: found.as_dict() for name, found in figures.items()}))


def _asked(texts: Any) -> tuple[list[str], dict[str, list[str | None]]]:
    """Texts, and their answers to each question."""
    return [one.text for one in texts], {
        "type": [one.type for one in texts],
        "product": [one.product for one in texts],
    }
