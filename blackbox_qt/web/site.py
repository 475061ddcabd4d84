"""Everything the server answers, put together: routes, their rules, and errors in one shape."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import blackbox_qt
from blackbox_qt.web import pages, words
from blackbox_qt.web.api import Api
from blackbox_qt.web.rules import RULES, Rule, check_complete

_LONGEST_ECHO = 40
_SECRET = ("key",)


def build(api: Api) -> FastAPI:
    """The site. Raises RuleError when a route has no rule: better no page than an open one.

    Threads: any.
    """
    site = FastAPI(
        title="Blackbox Qt",
        version=blackbox_qt.__version__,
        description="A car's black box. Errors are JSON: one sentence under `error`.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    api.add_to(site)  # not as routers to include: FastAPI keeps those apart, and the rules walk site.routes
    pages.add_to(site)
    site.add_exception_handler(HTTPException, _http_error)
    site.add_exception_handler(RequestValidationError, _bad_request)
    site.add_exception_handler(Exception, _failed)
    _declare_access(site)
    check_complete(routes_of(site))
    return site


def routes_of(site: FastAPI) -> list[tuple[str, str]]:
    """Every (path, method) the router answers.

    Threads: any.
    """
    found = []
    for route in site.routes:
        methods = getattr(route, "methods", None)
        found += [(str(getattr(route, "path", route)), method) for method in sorted(methods or {"ANY"})]
    return found


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = {404: words.NO_SUCH_PAGE, 405: words.WRONG_METHOD}.get(error.status_code, "")
    sentence = text if error.detail in ("Not Found", "Method Not Allowed") else str(error.detail)
    return JSONResponse({"error": sentence}, error.status_code, headers=dict(error.headers or {}))


async def _bad_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"error": _sentence(error.errors()[0])}, 422)


async def _failed(_: Request, error: Exception) -> Response:
    """The sentence only; Starlette raises `error` again, and the gate writes it into the log."""
    return JSONResponse({"error": words.FAILED}, 500)


def _sentence(error: dict[str, Any]) -> str:
    location, kind = error["loc"], error["type"]
    if kind == "json_invalid" or len(location) < 2:
        return words.NOT_JSON
    name = str(location[-1] if location[1:2] != ("minutes",) else "minutes")
    if kind == "missing":
        return words.missing(name)
    if kind == "extra_forbidden":
        return words.unknown(name[:_LONGEST_ECHO])
    return words.missing(name) if name in _SECRET else words.not_allowed(name, str(error["input"])[:_LONGEST_ECHO])


def _declare_access(site: FastAPI) -> None:
    """Write into OpenAPI who may use what, from the same table that is enforced."""
    make = site.openapi

    def openapi() -> dict[str, Any]:
        if site.openapi_schema is None:
            schema = make()
            schema.setdefault("components", {})["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer", "description": "the box's access key"},
                "basic": {"type": "http", "scheme": "basic", "description": "any name, the access key as password"},
            }
            for path, methods in schema["paths"].items():
                for method, operation in methods.items():
                    rule = RULES[path][method.upper()]
                    operation["x-rule"] = rule.value
                    closed = rule in (Rule.VIEW, Rule.CONTROL)
                    operation["security"] = [{"bearer": []}, {"basic": []}] if closed else []
        assert site.openapi_schema is not None
        return site.openapi_schema

    site.openapi = openapi  # type: ignore[method-assign]
