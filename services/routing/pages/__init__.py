"""Routing's pages: queue and case for officers; load, triage, rules and incidents for those who head them."""

from fastapi import APIRouter

from services.routing.pages import bulk, case, letter, live, queue

ROUTERS: list[APIRouter] = [
    live.router,
    bulk.router,
    queue.router,
    letter.router,
    case.router,
]
