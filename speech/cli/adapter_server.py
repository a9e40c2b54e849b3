"""HTTP client for the adapters of a running server, used by `speech adapters --server`."""

from __future__ import annotations

import json
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from speech.cli.address import parse_address, unreachable
from speech.errors import ModelError, SpeechError
from speech.models.adapters.file import describe

_PATIENCE_S = 60.0
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class AdapterServer:
    """Client of a server's `/v1/adapters`.

    Args:
        url: address of the server, such as http://127.0.0.1:8000.
        api_key: API key, if the server requires one.

    Raises:
        ConfigError: if the URL is invalid.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        parts = parse_address(url, tuple(_SCHEMES), "http://127.0.0.1:8000")
        path = parts.path.rstrip("/").removesuffix("/v1/stream").removesuffix("/v1")
        self._url = f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}/v1/adapters"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def listing(self) -> dict[str, Any]:
        """Return the response of `GET /v1/adapters`.

        Raises:
            SpeechError: if the server cannot be reached or its answer is invalid.
        """
        found = self._ask("GET", "")
        if "data" not in found:
            raise SpeechError("is not a speech server", where=self._url)
        return found

    def add(self, path: Path, *, force: bool = False) -> dict[str, Any]:
        """Upload an adapter file, after checks that avoid sending a file the server would refuse.

        Raises:
            SpeechError: if the server cannot be reached, or refuses.
            ModelError: if the file is no adapter, is for another model or is too large, or if one exists and `force` is
                false.
        """
        info, has = describe(path), self.listing()
        where = str(path)
        if info.base != has["base"]:
            text = f"is for another model: trained behind {info.base[:12]}, the server's is {has['base'][:12]}"
            raise ModelError(text, where=where, fix="Train it for this model, or transfer it.")
        if not has["changeable"]:
            raise SpeechError(
                "does not allow changes to its adapters", where=self._url, fix="Start it with --allow-adapters."
            )
        if info.size > has["max_bytes"]:
            raise ModelError(f"has {info.size} bytes, the server takes {has['max_bytes']}", where=where)
        if not force and info.language in [item["code"] for item in has["data"]]:
            fix = "Remove it before, or say --force."
            raise ModelError(f"the server has an adapter for {info.language!r} already", where=where, fix=fix)
        return self._ask("PUT", f"/{info.language}", path.read_bytes())

    def remove(self, code: str) -> None:
        """Delete the adapter of a language.

        Raises:
            SpeechError: if the server cannot be reached, or refuses.
        """
        self._ask("DELETE", f"/{quote(code, safe='')}")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        headers = self._headers | ({} if body is None else {"Content-Type": "application/octet-stream"})
        request = Request(self._url + path, data=body, headers=headers, method=method)
        try:
            with urlopen(request, timeout=_PATIENCE_S) as answer:
                text = answer.read()
        except HTTPError as error:
            raise SpeechError(_message(error), where=self._url) from error
        except (OSError, HTTPException, UnicodeError) as error:
            raise unreachable(error, self._url) from error
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise SpeechError("is not a speech server", where=self._url)
        return found


def _message(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError, OSError, HTTPException):
        return f"answers {error.code} {error.reason}"
