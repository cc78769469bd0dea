"""Bringing complaints in from elsewhere, each exactly once, however often it is interrupted."""
