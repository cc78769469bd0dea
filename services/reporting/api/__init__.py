"""Reporting's routes."""

from services.reporting.api import bases, commendations, goals, measures, surveys
from shared.web.router import Router

router = Router()
for _part in (goals, measures, surveys, bases, commendations):
    router.include_router(_part.router)
router.include_router(surveys.forms)
