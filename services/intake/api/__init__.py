"""Intake's routes: parse, call a use case, return."""

from services.intake.api import (
    attachment,
    channels,
    complaint,
    dispatch,
    email,
    form,
    form_page,
    letter,
    link,
    privacy,
    tracking,
    tracking_page,
    webhook,
)

routers = (
    complaint.router,
    channels.router,
    email.router,
    privacy.router,
    link.router,
    tracking.router,
    tracking_page.router,
    attachment.router,
    dispatch.router,
    letter.router,
    webhook.router,
    form.router,
    form_page.router,
)
