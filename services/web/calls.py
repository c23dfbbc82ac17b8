"""Reads a call's few plain parameters itself, and leaves to FastAPI what describes the call.

FastAPI's general way of finding arguments costs as much as everything that an ask does:
docs/decisions/0011-calls-read-their-own-parameters.md.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import request_response

from services.web.problems import Invalid


class Call(APIRoute):
    """A route whose endpoint takes the request, who calls, parts of the path, and a query.

    Raises `TypeError` when it is made for an endpoint that asks for anything else.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, endpoint, **more)
        self.app = request_response(_answers(endpoint, self.dependant))


def _answers(
    endpoint: Callable[..., Any], takes: Dependant
) -> Callable[[Request], Awaitable[Response]]:
    callers = [(one.name or "", one.call) for one in takes.dependencies]
    others = (takes.header_params, takes.cookie_params, takes.body_params)
    if any(others) or any(call is None for _, call in callers):
        raise TypeError(f"{endpoint.__qualname__} takes what a Call does not read")
    query = takes.query_params
    asks = takes.request_param_name

    async def answer(request: Request) -> Response:
        values: dict[str, Any] = dict(request.path_params)
        for name, call in callers:
            values[name] = await call(request)  # type: ignore[misc]  # none is None: see above
        if query:
            found, errors = request_params_to_args(query, request.query_params)
            if errors:
                raise RequestValidationError(errors)
            values |= found
        if asks is not None:
            values[asks] = request
        response: Response = await endpoint(**values)
        return response

    return answer


def refuse_others(request: Request, *known: str) -> None:
    """Raise 422 for a parameter that is not known: a filter misspelt would show too much."""
    for name in request.query_params:
        if name not in known:
            shown = name[:100]
            raise Invalid(
                f"{shown}: there is no such parameter; there is {', '.join(known)}.",
                pointer=f"/{shown}",
            )
