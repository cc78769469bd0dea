"""Routing's pages: queue and case for officers; load, triage, rules and incidents for those who head them."""

from fastapi import APIRouter

from services.routing.pages import bulk, case, incidents, letter, live, people, queue, rules, supervision, triage

ROUTERS: list[APIRouter] = [
    live.router,
    bulk.router,
    queue.router,
    letter.router,
    case.router,
    supervision.router,
    triage.router,
    rules.router,
    incidents.router,
    people.router,
]
