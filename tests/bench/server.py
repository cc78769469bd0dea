"""One contestant's HTTP process: `python -m tests.bench.server ours|plain PORT`. All are served alike, as we serve."""

import sys

from shared.serve import serve

APPS = {"ours": "services.intake.app:app", "plain": "tests.bench.plain:app"}

if __name__ == "__main__":
    serve(APPS[sys.argv[1]], port=int(sys.argv[2]))
