"""What `make bench` runs: every part of our own, or with a name the one part; `report` makes a page of what was kept.

Left out unless named: `peers`, which installs others' programs, `latency` and `backlog`, which take Kafka and long, and
`capacity`, which counts what takes room.
"""

import sys
from collections.abc import Callable

from tests.bench import backlog, capacity, intake, latency, pages, report, reporting, sla
from tests.bench.peers import run as peers

_PARTS: dict[str, Callable[[list[str]], int]] = {
    "intake": intake.main,
    "pages": pages.main,
    "reporting": reporting.main,
    "sla": sla.main,
}
_NAMED: dict[str, Callable[[list[str]], int]] = {
    "peers": peers.main,
    "latency": latency.main,
    "backlog": backlog.main,
    "capacity": capacity.main,
    "report": report.main,
}
_asked = sys.argv[1:]
if _asked and (_part := (_PARTS | _NAMED).get(_asked[0])):
    sys.exit(_part(_asked[1:]))
if _asked:
    sys.exit(intake.main())
sys.exit(max(main([]) for main in _PARTS.values()))
