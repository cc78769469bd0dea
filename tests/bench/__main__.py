"""What `make bench` runs: everything, or with a name the one part (`capacity`, `intake`, `pages`, `reporting`, `sla`).
Capacity counts what takes room, no time; it runs only when asked for."""

import sys

from tests.bench import capacity, intake, pages, reporting, sla

_PARTS = {"intake": intake.main, "pages": pages.main, "reporting": reporting.main, "sla": sla.main}
_asked = sys.argv[1:]
if _asked[:1] == ["capacity"]:
    sys.exit(capacity.main(_asked[1:]))
if _asked[:1] and _asked[0] in _PARTS:
    sys.exit(_PARTS[_asked[0]](_asked[1:]))
if _asked:
    sys.exit(intake.main())
sys.exit(max(main([]) for main in _PARTS.values()))
