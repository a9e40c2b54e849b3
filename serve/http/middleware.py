"""Middleware of all HTTP requests: checks access, and answers unexpected errors."""

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.http.errors import failure, is_api
from serve.net.auth import Authenticator

_log = logging.getLogger(__name__)


class AccessMiddleware:
    """ASGI middleware. Websockets are checked when they are accepted, because pages can only read a close code."""

    def __init__(self, app: ASGIApp, auth: Authenticator) -> None:
        self._app, self._auth = app, auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        denied = self._auth.check_http(Headers(scope=scope)) if is_api(scope) else None
        if denied is not None:
            await failure(denied.status, denied.message, denied.code)(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:  # the client cannot be answered
            return
        except Exception:
            if begun:
                raise
            _log.exception("a request failed: %s %r", scope["method"], scope["path"])
            answer = failure(500, "the server failed; its log says why", "internal")
            await answer(scope, receive, send)
