"""Routing's pages: queue and case for officers; load, triage, rules and incidents for those who head them."""

from fastapi import APIRouter

ROUTERS: list[APIRouter] = []
