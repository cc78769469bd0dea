"""Sphinx's settings for the site (`deploy.site.build` runs it). No fonts, scripts or pictures from elsewhere."""

from shared import __version__

project = "Redress"
author = "The Redress authors"
version = release = __version__
extensions = ["myst_parser"]
root_doc = "index"
language = "en"
html_theme = "furo"
html_title = f"Redress {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = html_logo = "static/mark.svg"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_permalinks_icon = "#"
pygments_style = "friendly"
pygments_dark_style = "native"
myst_heading_anchors = 4  # as GitHub makes them, so that a link works in both
suppress_warnings = ["misc.highlighting_failure"]
