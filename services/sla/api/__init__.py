"""SLA's routes: parse, call a use case, return."""

from services.sla.api import clocks, feeds, notices, policies, posts

ROUTERS = [one.router for one in (clocks, policies, posts, notices, feeds)] + [clocks.acting, feeds.open_router]
