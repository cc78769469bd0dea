"""Alembic's environment of sla; see `shared.migrations`."""

from services.sla.store import metadata
from shared import migrations

migrations.run(metadata)
