"""Reporting's routes: the figures as JSON, and the dashboard that shows them."""

from services.reporting.api import dashboard, figures
from shared.web.router import Router

router = Router()
router.include_router(figures.router)
router.include_router(dashboard.router)
