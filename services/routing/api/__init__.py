"""Routing's routes: parse, call a use case, return."""

from services.routing.api import cases, classify, incidents, letters, models, staff, table, taxonomies

ROUTERS = [one.router for one in (letters, cases, classify, staff, table, models, incidents, taxonomies)]
