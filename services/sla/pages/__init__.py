"""Sla's pages: what is at risk, a complaint's clocks, policy packs and calendars."""

from fastapi import APIRouter

ROUTERS: list[APIRouter] = []
