"""Routing's routes: parse, call a use case, return."""

from services.routing.api import cases, classify, letters, staff

ROUTERS = [letters.router, cases.router, classify.router, staff.router]
