"""Reporting's routes: the figures as JSON, and the dashboard that shows them."""

from fastapi import APIRouter

from services.reporting.api import dashboard, figures

router = APIRouter()
router.include_router(figures.router)
router.include_router(dashboard.router)
