"""Whatever a request meets, it is checked before and answered after."""

import asyncio
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect

from serve.config import ServeConfig
from serve.http.middleware import AccessMiddleware
from serve.net.auth import Authenticator

KEY = {"Authorization": "Bearer key"}


def answer(path: str, *, root_path: str = "", **options: Any) -> httpx.Response:
    app = FastAPI()

    @app.get("/v1/fails")
    @app.get("/fails")
    async def fails() -> None:
        raise ValueError("the secret of the house")

    @app.get("/v1/leaves")
    async def leaves() -> None:
        raise ClientDisconnect

    @app.get("/v1/works")
    @app.get("/health")
    async def works() -> str:
        return "works"

    app.add_middleware(AccessMiddleware, auth=Authenticator(ServeConfig(api_keys=["key"])))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path, **options)

    return asyncio.run(ask())


def test_an_exception_is_logged_and_answered_without_its_text(caplog):
    caplog.set_level(logging.ERROR, "serve.http.middleware")
    for path in ("/v1/fails", "/fails"):
        found = answer(path, headers=KEY)
        assert found.status_code == 500
        assert found.json()["error"]["type"] == "server_error"
        assert "secret" not in found.text
    assert caplog.text.count("ValueError: the secret of the house") == 2


def test_what_stands_under_v1_takes_a_key_also_behind_a_path():
    assert answer("/v1/works", headers=KEY).json() == "works"
    assert answer("/health").json() == "works"
    assert answer("/v1/works").status_code == 401
    assert answer("/house/v1/works", root_path="/house", headers=KEY).json() == "works"
    assert answer("/house/v1/works", root_path="/house").status_code == 401


@pytest.mark.parametrize("path", ["/v1/works", "/v1/none", "/v1/"])
def test_a_page_of_another_name_is_told_which_setting_to_change(path):
    found = answer(path, headers={"Host": "evil.example", "Origin": "http://evil.example"})
    assert found.status_code == 403
    assert found.json()["error"]["code"] == "host"
    assert "allowed_hosts" in found.json()["error"]["message"]


def test_nobody_is_answered_who_has_gone():
    with pytest.raises(AssertionError):  # of httpx: no answer came
        answer("/v1/leaves", headers=KEY)
