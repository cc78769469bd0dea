"""Intake's pages for staff: search by person, what the complainant wrote and was told, webhooks, forms, retention."""

from fastapi import APIRouter

from services.intake.pages import admin, complaint, forms, retention, search, take, webhooks

ROUTERS: list[APIRouter] = [
    search.router,
    complaint.router,
    take.router,
    webhooks.router,
    forms.router,
    retention.router,
    admin.router,
]
