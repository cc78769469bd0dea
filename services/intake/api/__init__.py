"""Intake's routes: parse, call a use case, return."""

from services.intake.api import complaint

routers = (complaint.router,)
