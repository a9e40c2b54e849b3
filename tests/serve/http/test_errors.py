"""Errors in OpenAI's form under /v1/, FastAPI's own elsewhere."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serve.http.errors import Failure, failure, is_api, on_http_exception, on_validation_error


def answer(method: str, path: str, **options: Any) -> httpx.Response:
    app = FastAPI()
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)

    @app.get("/v1/number")
    @app.get("/number")
    async def number(n: int) -> int:
        return n

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.request(method, path, **options)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "param"),
    [
        ("GET", "/v1/none", 404, "not_found", None),
        ("DELETE", "/v1/number", 405, "method_not_allowed", None),
        ("GET", "/v1/number", 400, "bad_request", "n"),
        ("GET", "/v1/number?n=x", 400, "bad_request", "n"),
    ],
)
def test_errors_under_v1_have_the_form_of_openai(method, path, status, code, param):
    found = answer(method, path)
    assert found.status_code == status
    error = found.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
    assert error["message"]
    assert status != 405 or found.headers["allow"] == "GET"


def test_errors_elsewhere_stay_what_they_are():
    assert answer("GET", "/none").json() == {"detail": "Not Found"}
    assert answer("GET", "/number").status_code == 422


def test_what_is_worth_another_try_says_when():
    assert failure(429, "full", "full").headers["retry-after"] == "5"
    assert Failure(503, "full", "full").response().headers["retry-after"] == "5"
    assert "retry-after" not in Failure(400, "bad", "bad").response().headers


@pytest.mark.parametrize(
    ("path", "root", "api"),
    [
        ("/v1/models", "", True),
        ("/a/v1/models", "/a", True),
        ("/a/v1/models", "/a/", True),
        ("/v1/models", "/v1", True),
        ("/health", "", False),
        ("/a/health", "/a", False),
        ("/", "", False),
    ],
)
def test_a_request_for_the_api_is_known_also_behind_a_path(path, root, api):
    assert is_api({"type": "http", "path": path, "root_path": root}) is api
