"""Routing's routes: parse, call a use case, return."""

from services.routing.api import cases, classify, letters, staff, table

ROUTERS = [letters.router, cases.router, classify.router, staff.router, table.router]
