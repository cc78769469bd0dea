"""Intake's rules, pure: no framework, time as an argument."""
