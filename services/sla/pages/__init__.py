"""Sla's pages: what is at risk, a complaint's clocks, policy packs and calendars, notices, posts and subscriptions."""

from services.sla.pages import at_risk, calendars, clocks, notices, packs, posts, subscriptions

ROUTERS = [one.router for one in (at_risk, clocks, notices, posts, packs, calendars, subscriptions)]
