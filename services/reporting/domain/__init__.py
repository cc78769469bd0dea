"""The rules of the figures. Pure: no framework, time is an argument."""
