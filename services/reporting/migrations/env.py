"""Alembic's environment of reporting; see `shared.migrations`."""

from services.reporting.store import metadata
from shared import migrations

migrations.run(metadata)
