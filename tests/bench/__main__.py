"""What `make bench` runs."""

import sys

from tests.bench.intake import main

sys.exit(main())
