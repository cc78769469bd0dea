"""Complaints made up for a demonstration: three languages, every channel, eighteen months, and nobody real in them.

`generate` composes them from the templates in `data/`; `deploy.demo.run` posts them to a desk; `casework.plan` tells
what becomes of each, and `caseworker.work` does it through routing.
"""

from deploy.demo.complaints import DemoComplaint, generate
from deploy.demo.timing import surge_day

__all__ = ["DemoComplaint", "generate", "surge_day"]
