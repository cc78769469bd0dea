"""Alembic's environment of intake; see `shared.migrations`."""

from services.intake.store import metadata
from shared import migrations

migrations.run(metadata)
