"""Reporting's routes: the figures as JSON, and the pages that show them."""

from services.reporting.api import dashboard, figures, reports, surges, views
from shared.web.router import Router

router = Router()
for _part in (
    figures.router,
    surges.router,
    reports.router,
    dashboard.router,
    views.router,
    surges.page_router,
    reports.page_router,
):
    router.include_router(_part)
