"""Protocols by which complaints come in other than HTTP."""
