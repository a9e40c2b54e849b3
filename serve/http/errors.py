"""HTTP errors in OpenAI's format, for everything under `/v1/`."""

from __future__ import annotations

from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Scope

_RETRY_S = 5


class Failure(Exception):
    """An exception that carries an error response."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(status, code, message, param)
        self.status, self.code, self.message, self.param = status, code, message, param

    def response(self) -> JSONResponse:
        """The response for the client."""
        return failure(self.status, self.message, self.code, self.param)


def failure(
    status: int, message: str, code: str, param: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """An error response in OpenAI's format."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    again = {"Retry-After": str(_RETRY_S)} if status in (429, 503) else {}
    return JSONResponse(body, status, headers={**again, **(headers or {})})


def is_api(scope: Scope) -> bool:
    """Whether the path of a request is below `/v1/`, also if the application is mounted at a root path."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    below = path.removeprefix(root) if path.startswith(f"{root}/") else path
    return below.startswith("/v1/") or path.startswith("/v1/")


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Handler of unknown paths and methods."""
    assert isinstance(error, HTTPException)
    if not is_api(request.scope):
        return await http_exception_handler(request, error)
    headers = dict(error.headers or {})
    codes = {404: "not_found", 405: "method_not_allowed"}
    where = f"{request.method} {request.url.path}"
    texts = {404: f"there is no {where}", 405: f"{where} is not possible; it takes {headers.get('allow', 'another')}"}
    text, code = texts.get(error.status_code, str(error.detail)), codes.get(error.status_code, "bad_request")
    return failure(error.status_code, text, code, headers=headers)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Handler of missing and invalid parameters."""
    assert isinstance(error, RequestValidationError)
    if not is_api(request.scope):
        return await request_validation_exception_handler(request, error)
    first = error.errors()[0]
    param = str(first["loc"][-1]) if first["loc"] else None
    return failure(400, f"{param}: {first['msg'].lower()}", "bad_request", param)
