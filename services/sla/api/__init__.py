"""SLA's routes: parse, call a use case, return."""

from services.sla.api import clocks, policies

ROUTERS = [clocks.router, clocks.acting, policies.router]
