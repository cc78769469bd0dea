"""The commands that start things and bring data in; the rest is in `deploy.cli.operate`."""

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from deploy.cli import backup, classify, operate
from deploy.cli.common import CLUSTER, console, home_option, read_environment
from shared import logs

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
import_app = typer.Typer(no_args_is_help=True, help="Bring complaints in from elsewhere.")
app.add_typer(import_app, name="import")
operate.attach(app)
backup.attach(app)
classify.attach(app)


@app.callback()
def environment(
    env: Annotated[Path | None, typer.Option(help="A file of NAME=value lines to run under")] = None,
) -> None:
    """Redress, the complaint desk of a bank."""
    if env is not None:
        read_environment(env)
    logs.configure(os.environ.get("REDRESS_LOG_LEVEL", "INFO"))


@app.command()
def up(
    port: Annotated[int, typer.Option(envvar="PORT")] = 8000,
    host: str = "127.0.0.1",
    home: Annotated[Path, home_option()] = Path(".redress"),
) -> None:
    """Start the desk: all four services in this process, until Ctrl-C."""
    from deploy import desk
    from shared.serve import serve

    began = time.monotonic()
    logs.configure(os.environ.get("REDRESS_LOG_LEVEL", "WARNING"), pretty=True)
    address = f"http://{host}:{port}"
    try:
        held = desk.lock(home)
        with console.status("Bringing the databases up to date ..."):
            assembled = desk.assemble(home, address)
    except (desk.AlreadyRunning, ValueError) as error:
        console.print(f"The desk cannot start: {error}.", markup=False)
        raise typer.Exit(1) from None
    console.print(
        f"[bold]Redress[/bold] is on {address}/ (ready in {time.monotonic() - began:.1f} s). Ctrl-C stops it."
    )
    if assembled.keys:
        console.print(f"Development keys, also in {home / 'dev-keys.json'}:", soft_wrap=True)
        for name, key in assembled.keys.items():
            console.print(f"  {name:11} {key}", soft_wrap=True, highlight=False, markup=False)
    serve(assembled.app, host=host, port=port)
    os.close(held)


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="intake, routing, sla or reporting")],
    host: str = "127.0.0.1",
    port: int = 8001,
    root_path: Annotated[str, typer.Option(help="Where a gateway puts the service, such as /routing")] = "",
) -> None:
    """Run one service's HTTP process."""
    from shared.events import TOPICS
    from shared.serve import serve as run
    from shared.settings import Settings

    _known(service, TOPICS)  # the register would load all four services, which takes longer than starting one
    tls = Settings().server_tls()
    run(f"services.{service}.app:app", host=host, port=port, root_path=root_path, tls=tls)


@app.command()
def work(service: Annotated[str, typer.Argument(help="intake, routing, sla or reporting")]) -> None:
    """Run one service's background process: consumers, outbox relay, timers."""
    from deploy import work as background
    from deploy.registry import SERVICES

    _known(service, SERVICES)
    background.run(SERVICES[service])


@app.command()
def front(
    services: Annotated[str, typer.Option(help="name=address,name=address")],
    host: str = "127.0.0.1",
    port: int = 8000,
) -> None:
    """Run the page that shows the health of all services, and lead to each under its name."""
    import httpx

    from deploy.gateway import Gateway, to
    from deploy.health import page
    from deploy.health.survey import Source
    from shared.serve import serve as run
    from shared.settings import Settings

    addresses = dict(pair.split("=", 1) for pair in services.split(","))
    settings = Settings()
    trusted = settings.client_tls()
    sources = {n: Source(f"/{n}", httpx.AsyncClient(base_url=a, verify=trusted)) for n, a in addresses.items()}
    gateway = Gateway({n: to(a, trusted) for n, a in addresses.items()}, page.create_app(settings, sources))
    run(gateway, host=host, port=port, tls=settings.server_tls())


@app.command()
def migrate(
    services: Annotated[list[str] | None, typer.Argument()] = None,
    wait: Annotated[
        float, typer.Option(help="Change nothing: wait so many seconds until somebody else has migrated")
    ] = 0,
) -> None:
    """Bring the databases up to date (all, or those of the services named)."""
    from deploy.registry import SERVICES
    from shared import migrations

    for name in services or SERVICES:
        _known(name, SERVICES)
        if wait:
            service = SERVICES[name]
            if not migrations.wait_for(service.migrations, service.database(service.settings()), wait):
                console.print(f"{name}: not up to date after {wait:g} s")
                raise typer.Exit(1)
            continue
        SERVICES[name].migrate(SERVICES[name].settings())
        console.print(f"{name}: up to date")


@app.command()
def topics(
    partitions: int = 6,
    replication: int = 1,
    retention_days: Annotated[int, typer.Option(min=1, help="How long Kafka keeps events")] = 14,
) -> None:
    """Create the Kafka topics that are missing; tell where others are set otherwise."""
    from deploy import topics as kafka_topics
    from shared.settings import Settings

    settings = Settings()
    if not settings.kafka:
        console.print("REDRESS_KAFKA is not set.")
        raise typer.Exit(2)
    try:
        kafka_topics.check_retention(settings, retention_days)
    except ValueError as error:
        console.print(f"{error}.", markup=False)
        raise typer.Exit(2) from None
    made, differing = asyncio.run(
        kafka_topics.create(settings, partitions=partitions, replication=replication, retention_days=retention_days)
    )
    console.print("Created: " + ", ".join(made) if made else "All topics were there.")
    for one in differing:
        console.print(f"{one.topic}: {one.setting} is {one.found}, should be {one.wanted}", markup=False)


@app.command()
def acls(
    apply: Annotated[bool, typer.Option(help="Tell the brokers, instead of printing commands")] = False,
    principal: Annotated[str, typer.Option(help="How the brokers call a service")] = "User:{service}",
) -> None:
    """What each service may do at Kafka: write its own topic, read those of the services that it hears."""
    from deploy import acls as access
    from shared.settings import Settings

    settings = Settings()
    if apply and not settings.kafka:
        console.print("REDRESS_KAFKA is not set.")
        raise typer.Exit(2)
    if apply:
        console.print(f"{asyncio.run(access.apply(settings, principal))} rules hold.")
        return
    for rule in access.rules(principal):
        print(rule.command(settings.kafka or "HOST:PORT"))


@app.command("up-cluster")
def up_cluster(
    port: Annotated[int, typer.Option(envvar="PORT", help="Where the health page is")] = 8000,
    home: Annotated[Path, typer.Option(help="Where its data is")] = CLUSTER,
) -> None:
    """Start PostgreSQL, Kafka and every service as its own processes on this machine, until Ctrl-C."""
    from deploy import cluster
    from deploy.infra import install

    try:
        with console.status("Finding PostgreSQL and Kafka ..."):
            install.postgres()
            install.kafka()
    except install.Unavailable as error:
        console.print(f"The cluster cannot start: {error}", markup=False)
        raise typer.Exit(1) from None
    raise typer.Exit(cluster.run(home.absolute(), console, desk_port=port))


@app.command()
def demo(
    count: int = 400,
    seed: int = 1,
    url: Annotated[
        str | None, typer.Option(help="The desk's address; without it one is looked for, else started")
    ] = None,
    port: Annotated[int, typer.Option(envvar="PORT")] = 8000,
    home: Annotated[Path, home_option()] = Path(".redress"),
) -> None:
    """Send varied, invented complaints through every channel, and work the older ones."""
    from deploy.cli import demo as show

    raise typer.Exit(show.run(count=count, seed=seed, url=url, port=port, home=home, console=console))


@import_app.command("cfpb")
def import_cfpb(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    url: Annotated[str, typer.Option(help="Intake's address")] = "",
    key: Annotated[str, typer.Option(envvar="REDRESS_KEY", help="A key with complaints:import")] = "",
    limit: Annotated[int | None, typer.Option(help="Only the first rows")] = None,
    concurrency: int = 16,
    port: Annotated[int, typer.Option(envvar="PORT")] = 8000,
    home: Annotated[Path, home_option()] = Path(".redress"),
) -> None:
    """Import the public CFPB complaint file (CSV or .gz): streaming, resumable, each complaint once."""
    from deploy.importers.cfpb import Cfpb
    from deploy.importers.running import run_import

    desk = (url or f"http://127.0.0.1:{port}/intake", _import_key(key, home))
    run = run_import(Cfpb(), file, *desk, home=home, concurrency=concurrency, console=Console(), limit=limit)
    raise typer.Exit(asyncio.run(run).exit_code)


@import_app.command("file")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    mapping: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Which column is what (TOML)")],
    dry_run: Annotated[bool, typer.Option(help="Read and check everything, send nothing")] = False,
    url: Annotated[str, typer.Option(help="Intake's address")] = "",
    key: Annotated[str, typer.Option(envvar="REDRESS_KEY", help="A key with complaints:import")] = "",
    limit: Annotated[int | None, typer.Option(help="Only the first rows")] = None,
    concurrency: int = 16,
    port: Annotated[int, typer.Option(envvar="PORT")] = 8000,
    home: Annotated[Path, home_option()] = Path(".redress"),
) -> None:
    """Import a back office's own list (CSV, XLSX, NDJSON): mapped, checked first, resumable, each complaint once."""
    from deploy.importers.listed import Listed, dry
    from deploy.importers.mapping import Mapping, WrongMapping
    from deploy.importers.running import run_import

    try:
        source = Listed(Mapping.load(mapping))
    except WrongMapping as error:
        console.print(f"{mapping}: {error}", markup=False, highlight=False)
        raise typer.Exit(2) from None
    if dry_run:
        raise typer.Exit(dry(source, file, console=Console(), limit=limit))
    desk = (url or f"http://127.0.0.1:{port}/intake", _import_key(key, home))
    options: dict[str, Any] = {"home": home, "concurrency": concurrency, "limit": limit, "keep_rows": True}
    raise typer.Exit(asyncio.run(run_import(source, file, *desk, console=Console(), **options)).exit_code)


def _import_key(key: str, home: Path) -> str:
    from deploy import dev_keys

    if not key and (home / "dev-keys.json").exists():
        key = dev_keys.load(home)["import"]
    if not key:
        console.print("A key is needed: --key or REDRESS_KEY.")
        raise typer.Exit(2)
    return key


def _known(service: str, known: object) -> None:
    if service not in known:  # type: ignore[operator]
        console.print(f"There is no service '{service}'.", markup=False)
        raise typer.Exit(2)


def main() -> None:
    app()
