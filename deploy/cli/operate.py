"""The commands of operations: reconcile, parked events, keys, audit, encryption keys, the event catalogue."""

import asyncio
import json
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from deploy.cli.common import console, home_option

parked_app = typer.Typer(no_args_is_help=True, help="Events that could not be handled: look, replay, settle.")
keys_app = typer.Typer(no_args_is_help=True, help="API keys of one service: create, list, rotate, revoke.")
audit_app = typer.Typer(no_args_is_help=True, help="The audit trail: export it, verify it offline.")

reporting_app = typer.Typer(no_args_is_help=True, help="The figures: rebuild them from the events.")

Service = Annotated[str, typer.Option(help="intake, routing, sla or reporting")]
Home = Annotated[Path, home_option()]
_HOME = Path(".redress")
_ACTOR = "operator"


def attach(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.add_typer(parked_app, name="parked")
    app.add_typer(keys_app, name="keys")
    app.add_typer(audit_app, name="audit")
    app.add_typer(reporting_app, name="reporting")
    app.command()(reconcile)
    app.command("rotate-encryption")(rotate_encryption)
    app.command()(schemas)


def _run(job: Coroutine[Any, Any, Any]) -> Any:
    from shared.errors import RedressError

    try:
        return asyncio.run(job)
    except RedressError as error:
        console.print(error.detail, markup=False)
        raise typer.Exit(1) from None


def reconcile(
    home: Home = _HOME, wait: Annotated[float, typer.Option(help="Seconds to let events in flight arrive")] = 30
) -> None:
    """Compare what intake received with cases, clocks and figures; print each difference; exit 1 if there is any."""
    from deploy import desk
    from deploy import reconcile as tool
    from deploy.registry import SERVICES

    async def compare() -> tool.Findings:
        databases = desk.databases_of(home)
        settings = {name: service.settings(home=home) for name, service in SERVICES.items()}
        try:
            with console.status("Waiting for events in flight ..."):
                await tool.wait_until_drained(databases, wait, settings=settings)
            with console.status("Comparing ..."):
                return await tool.reconcile(databases, settings=settings)
        finally:
            for db in databases.values():
                await db.close()

    found = _run(compare())
    for name, value in found.figures.items():
        console.print(f"{name:18} {value:>10,}")
    for difference in found.differences:
        console.print(f"[red]differs[/red] {difference}", soft_wrap=True)
    if found.differences:
        raise typer.Exit(1)
    console.print("[green]All agree: each complaint once, in order, nothing waiting.[/green]")


@reporting_app.command("rebuild")
def reporting_rebuild(
    source: Annotated[str, typer.Option("--from", help="outboxes or kafka")] = "outboxes", home: Home = _HOME
) -> None:
    """Replay the events into a second read model beside the live one, and put it in its place. The desk may run."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from deploy import desk, rebuild
    from services.reporting.settings import ReportingSettings
    from services.reporting.usecases.rebuild import Done

    if source not in ("outboxes", "kafka"):
        console.print(f"--from is outboxes or kafka, not '{source}'.", markup=False)
        raise typer.Exit(2)

    async def build(tell: rebuild.Tell) -> Done:
        databases = desk.databases_of(home)
        try:
            if source == "kafka":
                return await rebuild.from_kafka(ReportingSettings(home=home), databases["reporting"], tell)
            return await rebuild.from_outboxes(databases, tell)
        finally:
            for db in databases.values():
                await db.close()

    columns = (TextColumn("Replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("events", total=None)
        try:
            done = _run(build(lambda replayed, total: progress.update(bar, completed=replayed, total=total)))
        except ValueError as error:
            console.print(str(error), markup=False)
            raise typer.Exit(2) from None
    console.print(
        f"{done.replayed:,} events replayed; {done.kept:,} complaints kept that the events no longer tell of."
    )
    if done.skipped:
        console.print(f"[red]{len(done.skipped)} events could not be applied[/red]: {', '.join(done.skipped[:5])}")
        raise typer.Exit(1)


def _open(service: str, home: Path) -> tuple[Any, Any, Any]:
    from deploy.registry import SERVICES

    if service not in SERVICES:
        console.print(f"There is no service '{service}'.", markup=False)
        raise typer.Exit(2)
    found = SERVICES[service]
    settings = found.settings(home=home)
    return found, settings, found.database(settings)


@parked_app.command("list")
def parked_list(service: Service, home: Home = _HOME) -> None:
    """What is parked and why."""
    from shared import parking

    async def look() -> Any:
        _, _, db = _open(service, home)
        async with db.reading() as session:
            found = await parking.unsettled(session, db.tables)
        await db.close()
        return found

    rows = _run(look())
    table = Table("number", "reason", "error", "event", "complaint", "since")
    for row in rows:
        cells = (row["id"], row["reason"], row["error"], row["type"], row["subject"], row["parked_at"])
        table.add_row(*(str(c) for c in cells))
    console.print(table if rows else "Nothing is parked.")


@parked_app.command("replay")
def parked_replay(
    service: Service, number: Annotated[list[int] | None, typer.Option(help="Only these")] = None, home: Home = _HOME
) -> None:
    """Handle parked events again, in order; a complaint stops at its first failure. Exit 1 if any failed."""
    from shared import parking
    from shared.bus.local import LocalBus
    from shared.clock import utcnow

    async def again() -> dict[str, Any]:
        found, settings, db = _open(service, home)
        worker = found.worker(settings, db, LocalBus())
        ids = set(number) if number else None
        done = await parking.replay(db, worker.consumes.handle, utcnow, actor=_ACTOR, ids=ids)
        await db.close()
        return done

    done = _run(again())
    console.print(f"Replayed: {done['replayed']}. Failed again: {len(done['failed'])}. Behind those: {done['still']}.")
    for failure in done["failed"]:
        console.print(f"  {failure['id']}: {failure['error']}", markup=False)
    if done["failed"]:
        raise typer.Exit(1)


@parked_app.command("discard")
def parked_discard(service: Service, number: int, reason: Annotated[str, typer.Option()], home: Home = _HOME) -> None:
    """Settle a parked event without handling it; the reason is kept."""
    from shared import parking
    from shared.clock import utcnow

    async def settle() -> None:
        _, _, db = _open(service, home)
        await parking.discard(db, number, actor=_ACTOR, reason=reason, clock=utcnow)
        await db.close()

    _run(settle())
    console.print("Settled.")


@keys_app.command("create")
def keys_create(
    name: str,
    service: Service = "intake",
    channel: Annotated[list[str] | None, typer.Option(help="A channel it may post for")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="complaints:write, complaints:read, complaints:import")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="A staff role, for a person or a system that acts as one")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Ends by itself after so many days")] = None,
    home: Home = _HOME,
) -> None:
    """Make a key and print it, once. With --channel and no --scope it may write and read."""
    from services.intake.domain.complaint import CHANNELS
    from shared.clock import utcnow
    from shared.security import keys
    from shared.security.principal import Role, Scope

    scopes = scope or ([Scope.WRITE, Scope.READ] if channel else [])
    for what, given, known in (
        ("channel", channel, CHANNELS),
        ("scope", scopes, set(Scope)),
        ("role", role, set(Role)),
    ):
        for one in given or ():
            if one not in known:
                console.print(f"There is no {what} '{one}'. Known: {', '.join(sorted(known))}.", markup=False)
                raise typer.Exit(2)

    async def make() -> str:
        _, _, db = _open(service, home)
        ends = utcnow() + timedelta(days=days) if days else None
        new = keys.NewKey(name, roles=role or (), scopes=scopes, channels=channel or (), expires_at=ends)
        async with db.transaction() as tx:
            token = await keys.create(tx, db.tables, new, actor=_ACTOR, now=utcnow())
        await db.close()
        return token

    console.print(_run(make()), soft_wrap=True, highlight=False, markup=False)


@keys_app.command("list")
def keys_list(service: Service = "intake", home: Home = _HOME) -> None:
    """Every key, without its secret."""
    from shared.security import keys

    async def look() -> list[dict[str, Any]]:
        _, _, db = _open(service, home)
        async with db.reading() as session:
            found = await keys.listing(session, db.tables)
        await db.close()
        return found

    columns = ("id", "name", "roles", "scopes", "channels", "created_at", "expires_at", "revoked_at", "last_used_at")
    table = Table(*columns)
    for row in _run(look()):
        table.add_row(*(str(row[c] or "") for c in columns))
    console.print(table)


@keys_app.command("rotate")
def keys_rotate(id: str, service: Service = "intake", overlap_hours: int = 24, home: Home = _HOME) -> None:
    """A new key with the same rights; the old one ends after the overlap."""
    from shared.clock import utcnow
    from shared.security import keys

    async def make() -> str:
        _, _, db = _open(service, home)
        async with db.transaction() as tx:
            overlap = timedelta(hours=overlap_hours)
            token = await keys.rotate(tx, db.tables, id, overlap=overlap, actor=_ACTOR, now=utcnow())
        await db.close()
        return token

    console.print(_run(make()), soft_wrap=True, highlight=False, markup=False)


@keys_app.command("revoke")
def keys_revoke(id: str, service: Service = "intake", home: Home = _HOME) -> None:
    """End a key; running processes refuse it within seconds."""
    from shared.clock import utcnow
    from shared.security import keys

    async def end() -> None:
        _, _, db = _open(service, home)
        async with db.transaction() as tx:
            await keys.revoke(tx, db.tables, id, actor=_ACTOR, now=utcnow())
        await db.close()

    _run(end())
    console.print("Revoked.")


@audit_app.command("export")
def audit_export(service: Service, file: Path, home: Home = _HOME) -> None:
    """Write a service's audit trail to FILE, an entry a line (NDJSON)."""
    from shared import audit

    async def write() -> int:
        _, _, db = _open(service, home)
        count = 0
        with file.open("w") as out:
            async for row in audit.export(db):
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
        await db.close()
        return count

    console.print(f"{_run(write())} entries written.")


@audit_app.command("verify")
def audit_verify(
    file: Path, head: Annotated[str | None, typer.Option(help="The last link as known from elsewhere")] = None
) -> None:
    """Check an exported audit trail, with nothing but the file. Exit 1 if it was changed."""
    from shared import audit

    with file.open() as lines:
        verdict = audit.verify((json.loads(line) for line in lines), expected_head=head)
    if verdict.broken_at is not None:
        console.print(f"[red]Broken[/red]: {verdict.reason}.")
        raise typer.Exit(1)
    console.print(f"{verdict.entries} entries hold. Last link: {verdict.head}", soft_wrap=True)


def rotate_encryption(home: Home = _HOME) -> None:
    """Wrap every complaint's data key under the current (first) master key; then the old ones can go."""
    from services.intake.usecases.complaint import Desk
    from shared.clock import utcnow

    async def rewrap() -> int:
        _, settings, db = _open("intake", home)
        desk, total, after = Desk(settings.master_keys(), settings.zone), 0, ""
        while True:
            async with db.transaction() as tx:
                done = await desk.rewrap(tx, after, 500, now=utcnow())
            if not done:
                total += await _rewrap_others(db, desk)
                await db.close()
                return total
            total, after = total + len(done), done[-1]

    with console.status("Wrapping ..."):
        total = _run(rewrap())
    console.print(f"{total} data keys were wrapped anew.")


async def _rewrap_others(db: Any, desk: Any) -> int:
    """What has a key of its own: files, and the secrets of webhooks."""
    from services.intake.usecases import attachment, form, webhook

    total = 0
    for rewrap in (attachment.rewrap, form.rewrap, webhook.rewrap):
        done = 1
        while done:
            async with db.transaction() as tx:
                done = await rewrap(tx, desk.keys, 500)
            total += done
    return total


def schemas(folder: Path) -> None:
    """Write the event catalogue to FOLDER: AsyncAPI 3 and a JSON Schema for each event."""
    from deploy import catalogue

    written = catalogue.write(folder)
    console.print(f"{written} files written to {folder}.", markup=False)
