"""Reporting's routes: the figures as JSON, the dashboard that shows them, and what the bank makes of them."""

from services.reporting.api import bases, commendations, dashboard, figures, goals, measures, surveys
from shared.web.router import Router

router = Router()
for _part in (figures, dashboard, goals, measures, surveys, bases, commendations):
    router.include_router(_part.router)
router.include_router(surveys.forms)
