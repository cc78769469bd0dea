"""Reporting's routes: the figures as JSON, the pages that show them, and what the bank makes of them."""

from services.reporting.api import bases, commendations, dashboard, figures, goals, measures, surveys, views
from shared.web.router import Router

router = Router()
for _part in (figures, dashboard, views, goals, measures, surveys, bases, commendations):
    router.include_router(_part.router)
router.include_router(surveys.forms)
