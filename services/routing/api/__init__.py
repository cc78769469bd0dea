"""Routing's routes: parse, call a use case, return."""

from services.routing.api import cases, classify, staff

ROUTERS = [cases.router, classify.router, staff.router]
