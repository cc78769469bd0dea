"""Intake's routes: parse, call a use case, return."""

from services.intake.api import channels, complaint, link, privacy

routers = (complaint.router, channels.router, privacy.router, link.router)
