"""Alembic's environment of routing; see `shared.migrations`."""

from services.routing.store import metadata
from shared import migrations

migrations.run(metadata)
