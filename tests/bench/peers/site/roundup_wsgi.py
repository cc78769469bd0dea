"""Roundup's tracker for a WSGI server, as `frontends/wsgi.py` has it."""

import os

from roundup.cgi.wsgi_handler import RequestDispatcher

app = RequestDispatcher(os.environ["BENCH_TRACKER"])
