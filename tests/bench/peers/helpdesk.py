"""django-helpdesk on our PostgreSQL, as its documentation has it served: gunicorn with its usual worker, here one.

Its API is that of Django REST framework, whose token authentication takes the least: one query. It sends no e-mail,
keeps its connection to the database, and has none of the debug switches on.
"""

import json
import os
from pathlib import Path

from deploy.infra.postgres import SUPERUSER, Postgres
from tests.bench.contest import Contestant
from tests.bench.peers.install import environment
from tests.bench.peers.serving import SITE, prepared, served, text

NAME = "django_helpdesk"


def start(home: Path, postgres: Postgres) -> Contestant:
    """Installed, its tables made, answering. Raises install.Unavailable or StartFailed."""
    programs = environment(NAME)
    postgres.create_database(NAME)
    settings = {
        "DJANGO_SETTINGS_MODULE": "helpdesk_settings",
        "PYTHONPATH": str(SITE),
        "BENCH_DATABASE": f"{NAME} {SUPERUSER} {postgres.port}",
        "BENCH_SECRET": os.urandom(32).hex(),
    }
    token = prepared(programs, "helpdesk_prepare.py", settings, home)
    child, port = served(NAME, programs, "django.core.wsgi:get_wsgi_application()", settings, home)
    ticket = {"queue": 1, "title": "Fee charged twice", "description": text(), "submitter_email": "a@example.com"}
    return Contestant(
        NAME,
        child,
        port,
        postgres.url(NAME),
        {"helpdesk_ticket": 0},
        path="/api/tickets/",
        headers={"authorization": f"Token {token}", "accept": "application/json"},
        body=json.dumps({**ticket, "status": 1, "priority": 3}).encode(),
    )
