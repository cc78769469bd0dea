"""Routing's pages: queue and case for officers; load, triage, rules and incidents for those who head them."""

from fastapi import APIRouter

from services.routing.pages import incidents, people, rules, supervision, triage

ROUTERS: list[APIRouter] = [
    supervision.router,
    triage.router,
    rules.router,
    incidents.router,
    people.router,
]
