"""`/docs`: the API's description to read and try, with Swagger UI served by ourselves: a bank's network has no CDN."""

from importlib.resources import files

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from shared.web.access import public
from shared.web.router import include

# Swagger UI styles its elements inline; only this page may.
_CSP = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}/docs-assets/swagger-ui.css"></head>
<body><div id="swagger-ui" data-openapi="{root}/openapi.json"></div>
<script src="{root}/docs-assets/swagger-ui-bundle.js"></script><script src="{root}/docs.js"></script></body></html>"""
_START = """"use strict";
const place = document.getElementById("swagger-ui");
SwaggerUIBundle({ url: place.dataset.openapi, domNode: place, deepLinking: true, persistAuthorization: false });
"""

router = APIRouter(include_in_schema=False, dependencies=[Depends(public())])


@router.get("/docs", response_class=HTMLResponse)
async def page(request: Request) -> Response:
    root = str(request.scope.get("root_path", "")).rstrip("/")
    body = _PAGE.format(title=request.app.title, root=root)
    return HTMLResponse(body, headers={"Content-Security-Policy": _CSP})


@router.get("/docs.js")
async def start() -> Response:
    return Response(_START, media_type="text/javascript")


def install(app: FastAPI) -> None:
    """Give `app` its `/docs`."""
    include(app, router)
    app.mount("/docs-assets", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="docs-assets")
