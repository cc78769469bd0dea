"""Reporting's routes: the figures as JSON, the pages that show them, files, returns, and what is published."""

from services.reporting.api import dashboard, exports, figures, public, returns, views
from shared.web.router import Router

router = Router()
router.include_router(figures.router)
router.include_router(exports.router)
router.include_router(returns.router)
router.include_router(public.router)
router.include_router(dashboard.router)
router.include_router(views.router)
