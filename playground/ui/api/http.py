"""
What programs meet before an endpoint: sentences for what is no call of one.

`APP` is what gradio's `launch` hands on to FastAPI.
"""

from __future__ import annotations

from typing import Any

from fastapi import Depends, HTTPException, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from gradio.route_utils import FnIndexInferError
from starlette.exceptions import HTTPException as AnyHTTPException

from playground import locales
from playground.bounds import shown
from playground.errors import PlaygroundError, disk_is_full, unexpected
from playground.ui.api.first import listen
from playground.ui.api.served import parameters

CALLS = ("/gradio_api/call/v2/", "/gradio_api/call/", "/gradio_api/run/", "/gradio_api/api/")


def known_job(request: Request) -> None:
    """Raises HTTPException for a job that this server does not know, which gradio would only cut the answer off for."""
    job = request.path_params.get("event_id")
    if request.method != "GET" or job is None or endpoint_of(request) is None:
        return
    queue = request.app.get_blocks()._queue
    pending = [queue.event_ids_to_events, queue.pending_messages_per_session, *queue.pending_event_ids_session.values()]
    if not any(job in known for known in list(pending)):
        raise HTTPException(404, PlaygroundError("unknown_job", job=shown(job)).told(language(request)))


def explain(request: Request, error: Exception) -> JSONResponse:
    """
    What is wrong with a call that no endpoint has seen: there is none of that name, or its body is not what gradio reads.
    What is no call goes on as an error.
    """
    name = endpoint_of(request)
    if name is None:
        raise error
    known = {one.api_name: one.fn for one in request.app.get_blocks().fns.values() if one.api_visibility == "public"}
    if name not in known:
        listed = ", ".join(f"/{one}" for one in known)
        wrong, status = PlaygroundError("unknown_endpoint", endpoint=f"/{shown(name)}", known=listed), 404
    else:
        names = parameters(known[name])
        by_name = request.url.path.startswith(CALLS[0])
        right = ", ".join(f'"{one}": …' for one in names) if by_name else f'"data": [{", ".join(names)}]'
        wrong, status = PlaygroundError("body_unreadable", right=f"{{{right}}}"), 422
    return JSONResponse({"detail": wrong.told(language(request))}, status)


async def explain_body(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if endpoint_of(request) is None:
        return await request_validation_exception_handler(request, error)
    return explain(request, error)


async def explain_status(request: Request, error: Exception) -> Response:
    """FastAPI says 400 of a body that it cannot parse."""
    assert isinstance(error, AnyHTTPException)
    if error.status_code != 400 or request.method != "POST" or endpoint_of(request) is None:
        return await http_exception_handler(request, error)
    return explain(request, error)


async def explain_disk(request: Request, error: Exception) -> Response:
    """A file that somebody sends when the disk is full; what else the system refuses goes on as an error."""
    if not disk_is_full(error):
        raise error
    return PlainTextResponse(unexpected(error).told(language(request)), 507)


def endpoint_of(request: Request) -> str | None:
    """The name of the endpoint that a request calls; None for what is no call."""
    for prefix in CALLS:
        if request.url.path.startswith(prefix):
            return request.url.path.removeprefix(prefix).partition("/")[0]
    return None


def language(request: Request) -> str:
    return locales.choose(request.headers.get("accept-language"))


APP: dict[str, Any] = {
    "dependencies": [Depends(known_job), Depends(listen)],
    "exception_handlers": {
        RequestValidationError: explain_body,
        AnyHTTPException: explain_status,
        OSError: explain_disk,
        # What gradio raises for a name that it does not have, and for names and nesting that it cannot take
        **dict.fromkeys((FnIndexInferError, KeyError, TypeError, ValueError, RecursionError), explain),
    },
}
