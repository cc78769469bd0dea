"""Reporting's routes: the figures as JSON, the pages that show them, and what the bank makes of them."""

from services.reporting.api import (
    bases,
    coaching,
    commendations,
    dashboard,
    exports,
    figures,
    goals,
    improvement,
    measures,
    public,
    reports,
    returns,
    surges,
    survey_pages,
    surveys,
    views,
)
from shared.web.router import Router

router = Router()
for _part in (
    figures.router,
    surges.router,
    reports.router,
    goals.router,
    measures.router,
    surveys.router,
    surveys.forms,
    bases.router,
    commendations.router,
    exports.router,
    returns.router,
    public.router,
    dashboard.router,
    views.router,
    surges.page_router,
    reports.page_router,
    improvement.page_router,
    survey_pages.page_router,
    survey_pages.public_pages,
    coaching.page_router,
):
    router.include_router(_part)
