"""Reporting's routes: the figures as JSON, and the pages that show them."""

from services.reporting.api import dashboard, figures, views
from shared.web.router import Router

router = Router()
router.include_router(figures.router)
router.include_router(dashboard.router)
router.include_router(views.router)
