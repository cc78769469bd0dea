"""Roundup's classic tracker on our PostgreSQL, as its documentation has it served: gunicorn with its usual worker, one.

Its REST interface is used with a signed bearer token, which takes the least of what it offers: a password would be
hashed again for every request. The text is a field of the issue, as its documentation shows how to add one: as a
message it would be a second request, and a file. It sends no e-mail, and keeps the tracker in memory. It opens a
connection to the database for every request, and offers no other way.
"""

import json
import os
from pathlib import Path

from deploy.infra.postgres import SUPERUSER, Postgres
from tests.bench.contest import Contestant
from tests.bench.peers.install import environment
from tests.bench.peers.serving import SITE, prepared, served, text

NAME = "roundup"


def start(home: Path, postgres: Postgres) -> Contestant:
    """Installed, its tracker made, answering. Raises install.Unavailable or StartFailed."""
    programs = environment(NAME)
    settings = {
        "PYTHONPATH": str(SITE),
        "BENCH_TRACKER": str(home / NAME),
        "BENCH_DATABASE": f"{NAME} {SUPERUSER} {postgres.port}",
        "BENCH_SECRET": os.urandom(32).hex(),
    }
    token = prepared(programs, "roundup_prepare.py", settings, home)
    child, port = served(NAME, programs, "roundup_wsgi:app", settings, home)
    return Contestant(
        NAME,
        child,
        port,
        postgres.url(NAME),
        {"_issue": 0},
        path="/rest/data/issue",
        headers={
            "authorization": f"Bearer {token}",
            "accept": "application/json",
            "x-requested-with": "rest",  # its guard against forged requests asks for both
            "origin": "http://127.0.0.1",
        },
        body=json.dumps({"title": "Fee charged twice", "narrative": text()}).encode(),
    )
