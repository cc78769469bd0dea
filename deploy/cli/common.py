"""What the commands share."""

import os
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

console = Console()
CLUSTER = Path(".redress/cluster")


def home_option() -> Any:
    return typer.Option("--home", envvar="REDRESS_HOME", help="Where the embedded default keeps its data")


def read_environment(path: Path) -> None:
    """Take the NAME=value lines of `path` into this process's environment."""
    if not path.is_file():
        console.print(f"There is no file {path}.", markup=False)
        raise typer.Exit(2)
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            os.environ[name.strip()] = value.strip()
