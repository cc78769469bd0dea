"""Intake's pages for staff: search by person, what the complainant wrote and was told, webhooks, forms, retention."""

from fastapi import APIRouter

ROUTERS: list[APIRouter] = []
