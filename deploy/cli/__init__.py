"""`redress`: the commands of those who run the desk. Each says what it did, and exits non-zero when it could not."""

from deploy.cli.main import main

__all__ = ["main"]
