"""The commands around backups: make one, put it back, rehearse that."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.common import console, home_option

_HOME = Path(".redress")
Home = Annotated[Path, home_option()]
Folder = Annotated[Path, typer.Argument(file_okay=False, help="The backup")]
Expect = Annotated[str | None, typer.Option(help="SHA-256 of the manifest, as `redress backup` printed it")]


def attach(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command()(backup)
    app.command()(restore)
    app.command("restore-drill")(restore_drill)


def _settings(home: Path) -> dict[str, Any]:
    from deploy.registry import SERVICES

    return {name: service.settings(home=home) for name, service in SERVICES.items()}


def _run(what: str, job: Coroutine[Any, Any, Any]) -> Any:
    from deploy.backup.cut import BackupFailed
    from shared.errors import RedressError

    try:
        with console.status(what):
            return asyncio.run(job)
    except (BackupFailed, RedressError) as error:
        console.print(f"[red]Failed[/red]: {getattr(error, 'detail', error)}.", soft_wrap=True)
        raise typer.Exit(1) from None


def backup(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="A new folder")],
    home: Home = _HOME,
    without_files: Annotated[
        bool, typer.Option("--without-files", help="Leave attachments out: their object store keeps versions")
    ] = False,
) -> None:
    """Back up all four services, as of one moment, to FOLDER. They may run. Keys are checked and never included."""
    from deploy.backup.taking import take

    made, digest = _run("Copying ...", take(_settings(home), folder, files=not without_files))
    for name, part in made.parts.items():
        console.print(
            f"{name:10} {part.audit_entries:>10,} audit entries  needs keys: {', '.join(part.key_ids) or '-'}"
        )
        if part.unopened:
            console.print(
                f"[yellow]not checked[/yellow]: {name}'s keys {', '.join(part.unopened)} are not at hand here"
            )
    files = sum(1 for name in made.hashes if name.startswith("attachments/"))
    console.print(
        f"attachments {made.attachments}: {files:,} files. Everybody stood still for {made.stood_still_ms} ms."
    )
    console.print(f"Keep this elsewhere: {digest}", soft_wrap=True, highlight=False)


def restore(folder: Folder, home: Home = _HOME, expect: Expect = None) -> None:
    """Put the backup in FOLDER back, into databases and a home that are empty. Nothing may run. Exit 1 when anything
    does not agree."""
    from deploy.backup.restoring import restore as put_back

    outcome = _run("Restoring ...", put_back(_settings(home), folder, expected=expect))
    _tell(outcome)
    if outcome.differences is None:
        console.print("Start the services, then run `redress reconcile`: it must find no difference.")


def restore_drill(
    folder: Folder,
    home: Home = _HOME,
    expect: Expect = None,
    server: Annotated[
        str | None,
        typer.Option(help="Where to make databases: postgresql+asyncpg://...; none: on the services' own servers"),
    ] = None,
) -> None:
    """Rehearse: restore FOLDER beside everything, deliver what was in flight, compare, remove.

    Nothing is sent to anybody. Exit 1 on any difference.
    """
    from deploy.backup.restoring import drill

    _tell(_run("Rehearsing ...", drill(_settings(home), folder, expected=expect, server=server)))


def _tell(outcome: Any) -> None:
    console.print(f"As of {outcome.taken_at:%Y-%m-%d %H:%M:%S %Z}. Audit chains hold:")
    for name, entries in outcome.audit_entries.items():
        again = outcome.sent_again.get(name, 0)
        console.print(f"  {name:10} {entries:>10,} entries" + (f", {again:,} events are sent again" if again else ""))
    console.print(f"{outcome.files:,} files.")
    if outcome.missing_files:
        console.print(
            f"[yellow]{len(outcome.missing_files)} files are named and not there[/yellow]: "
            + ", ".join(outcome.missing_files[:5]),
            soft_wrap=True,
        )
    if outcome.after is not None and outcome.after.events:
        told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(outcome.after.events.items()))
        console.print(f"[yellow]Kafka holds events from after the backup[/yellow], which are passed over: {told}.")
        console.print("Complaints received after it, to be asked for again from their channels:")
        for id in outcome.after.complaints:
            console.print(f"  {id}", highlight=False)
    for name, value in outcome.figures.items():
        console.print(f"{name:18} {value:>10,}")
    for difference in outcome.differences or ():
        console.print(f"[red]differs[/red] {difference}", soft_wrap=True)
    if outcome.differences or outcome.missing_files:
        raise typer.Exit(1)
    if outcome.differences is not None:
        console.print("[green]All agree: each complaint once, in order, nothing waiting.[/green]")
