"""Routers whose bodies are read strictly."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
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


class Router(APIRouter):
    """What services use in place of FastAPI's router."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"route_class": StrictRoute, **options})
