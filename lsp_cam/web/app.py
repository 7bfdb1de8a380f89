"""The daemon's control interface and the panel. GET reads, POST changes; `guard` decides who may."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .. import __version__
from ..daemon.core import Daemon
from ..errors import DaemonError, LspCamError, SubjectNotFound, UsageError
from .answers import REFUSALS
from .changing import changing
from .creations import creating
from .dubs import dubbing
from .framing import framing
from .guard import Guard, RefusedError
from .page import page
from .reading import reading

STATUS_OF = ((SubjectNotFound, 404), (UsageError, 422), (DaemonError, 409), (LspCamError, 400))
DESCRIPTION = """See and steer the portrait that is on air: all that the panel and the command line do goes here.
Send `Authorization: Bearer TOKEN`; `lsp-cam panel --json` prints the address and the token of this run."""


def create_app(daemon: Daemon, token: str, port: int, work: Path) -> ASGIApp:
    """The whole application behind its guard. `work`: a folder for what it is sent and what it makes."""
    app = FastAPI(
        title="lsp-cam", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", responses=REFUSALS,
    )  # fmt: skip
    app.add_exception_handler(LspCamError, _told)
    app.add_exception_handler(RequestValidationError, _misfit)
    url = f"http://127.0.0.1:{port}/"
    store = daemon.loader.store
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(405, _other_method)
    for routes in (
        reading(daemon, store, url),
        changing(daemon, url),
        dubbing(daemon, store, work / "dubs"),
        creating(daemon, store, work),
        framing(),
        page(daemon),
    ):
        app.include_router(routes)
    return Guard(app, token, port)


async def _told(request: Request, error: Exception) -> Response:
    status = next(code for kind, code in STATUS_OF if isinstance(error, kind))
    return JSONResponse({"detail": str(error), "kind": type(error).__name__}, status)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return JSONResponse({"detail": error.detail}, error.status)


async def _other_method(request: Request, error: Exception) -> Response:
    """The methods of all routes of this path; Starlette tells those of the first."""
    routes = [r for r in request.app.routes if isinstance(r, Route) and r.path_regex.match(request.scope["path"])]
    allowed = sorted({method for route in routes for method in route.methods or ()})
    return JSONResponse({"detail": f"This takes {', '.join(allowed)}."}, 405, {"Allow": ", ".join(allowed)})


async def _misfit(request: Request, error: Exception) -> Response:
    """What does not fit, without repeating it: it may hold what JSON cannot."""
    assert isinstance(error, RequestValidationError)
    reasons = [f"{'.'.join(str(place) for place in e['loc'][1:])}: {e['msg']}" for e in error.errors()]
    return JSONResponse({"detail": "; ".join(reasons[:5]), "kind": "UsageError"}, 422)
