"""Routers whose bodies are read strictly, and how an app gets their routes."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute


class StrictRequest(Request):
    """A request whose JSON is RFC 8259 to the letter: UTF-8 alone, no lone surrogates, no NaN.

    Python's own parser lets all three pass, and the text breaks later, in a database or an answer.
    """

    async def json(self) -> Any:
        return orjson.loads(await self.body())  # raises json.JSONDecodeError's own child, which FastAPI knows


class StrictRoute(APIRoute):
    """A route that is given a StrictRequest."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strictly


def operation(route: APIRoute) -> str:
    """How a route is called in the OpenAPI document, and so in generated clients: `complaints_receive`."""
    return "_".join(str(part).replace(" ", "_").replace("-", "_") for part in (*route.tags[:1], route.name))


class Router(APIRouter):
    """What services use in place of FastAPI's router."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"route_class": StrictRoute, "generate_unique_id_function": operation, **options})


def include(app: FastAPI, router: APIRouter) -> None:
    """Give `app` the routes of `router` as they are. FastAPI's own `include_router` makes each of them anew for the
    app, which takes longer than all else in a service's start, and finds them in one more step at each request."""
    app.router.routes.extend(router.routes)
