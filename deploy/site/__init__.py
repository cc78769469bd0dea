"""The documentation as a static site: README and `docs/` as they are, and a page for each service's API.

    python -m deploy.site            # `make docs`

writes it to `build/site`. It asks no other host for anything when it is looked at.
"""
