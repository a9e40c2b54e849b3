"""`/v1/adapters`: language adapters of a running server, which can change while sessions run.

A session uses a changed set from its next chunk or part on. If `adapters` of the configuration names a folder, the set
is the content of that folder: uploads are stored there, and files that another process, such as another worker, adds or
removes are noticed. Otherwise uploads last as long as the process.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from fastapi import Request
from fastapi.responses import JSONResponse, Response

from serve.engine.pools import Pools, run
from serve.http.errors import Failure, failure
from serve.http.uploads import UploadSlots, receive_body
from serve.net.auth import Authenticator
from serve.sessions.options import Facts
from serve.telemetry import Telemetry
from speech.errors import ModelError, SpeechError
from speech.files import partial_file
from speech.models.adapters.file import FOLDER, AdapterDescription, AdapterFile
from speech.models.adapters.store import SUFFIX, entries, put, read, remove
from speech.models.hub import locate
from speech.nn.adapters import Adapter, AdapterBank
from speech.recognizer import Recognizer
from speech.text.languages import LANGUAGES

_log = logging.getLogger(__name__)
_LOOK_S = 2.0
_PLACES = 2
"""Concurrent uploads; adapters are small and are read into memory."""

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class LoadedAdapter:
    """An adapter in use."""

    adapter: Adapter
    info: AdapterDescription
    source: str
    """model: file beside the model; folder: file in the configured folder; upload: in memory only."""
    stamp: Stamp | None = None
    """Stamp of its file in the folder when it was read."""


class LiveAdapters:
    """The routes, and the adapters in use.

    Args:
        recognizer: with the adapters that it was loaded with.
        facts: `languages` is extended by the languages of adapters.
        auth: checks who may change adapters.
        telemetry: counts adapters.
        pools: `adapters` reads and tries them.
    """

    def __init__(
        self, recognizer: Recognizer, facts: Facts, auth: Authenticator, telemetry: Telemetry, pools: Pools
    ) -> None:
        self._recognizer, self._facts, self._auth, self._telemetry = recognizer, facts, auth, telemetry
        self._pools = pools
        config = facts.config
        self._folder = Path(config.adapters) if config.adapters else None
        self._turn = asyncio.Lock()
        self._places = UploadSlots(_PLACES)
        self._bad: dict[Path, Stamp] = {}
        bank = recognizer.adapters
        loaded: dict[str, LoadedAdapter] = {}
        for info in entries(self._folder or locate(config.model) / FOLDER):
            info.check(recognizer.model)
            adapter = None if bank is None else bank.adapters[info.language]
            if isinstance(adapter, Adapter):
                kept = self._folder is not None
                loaded[info.language] = LoadedAdapter(
                    adapter, info, "folder" if kept else "model", _stamp(info.path) if kept else None
                )
        self._loaded: Mapping[str, LoadedAdapter] = loaded
        self._use(loaded, bank)

    @property
    def codes(self) -> list[str]:
        """Languages that have an adapter."""
        return sorted(self._loaded)

    async def listing(self) -> dict[str, Any]:
        """List the adapters in use, the model that they must fit, and whether clients may change them."""
        config = self._facts.config
        return {
            "object": "list",
            "model": self._facts.model.id,
            "base": self._recognizer.fingerprint,
            "parameters": self._recognizer.parameter_count,
            "changeable": config.allow_adapters,
            "max_bytes": config.max_adapter_bytes,
            "data": [_record(self._loaded[code]) for code in self.codes],
        }

    async def put(self, code: str, request: Request) -> Response:
        """Upload the adapter of a language; the body is its file."""
        try:
            self._check(request)
            found, new = await self._receive(code, request)
        except Failure as error:
            return error.response()
        _log.info("adapter for %s: %s", code, found.source)
        return JSONResponse(_record(found), 201 if new else 200)

    async def _receive(self, code: str, request: Request) -> tuple[LoadedAdapter, bool]:
        """Receive an adapter and use it; returns it, and whether the language had none before. Raises Failure."""
        place = self._places.take()
        try:
            pieces = receive_body(request, self._facts.config.max_adapter_bytes, "the adapter")
            data = b"".join([piece async for piece in pieces])
            async with self._turn:
                found, bank = await run(self._pools.adapters, self._take, code, data)
                new = code not in self._loaded
                self._use({**self._loaded, code: found}, bank)
                return found, new
        finally:
            place.leave()

    async def delete(self, code: str, request: Request) -> Response:
        """Remove the adapter of a language. One beside the model keeps its file and returns at the next start."""
        try:
            self._check(request)
        except Failure as error:
            return error.response()
        async with self._turn:
            if code not in self._loaded:
                return failure(404, f"there is no adapter for {code!r}; {self._known()}", "not_found", "code")
            if self._folder is not None:
                try:
                    await run(self._pools.adapters, remove, self._folder, code)
                except SpeechError as error:
                    return failure(500, str(error), "not_kept")
            left = {key: loaded for key, loaded in self._loaded.items() if key != code}
            self._use(left, _bank(left))
        _log.info("adapter for %s: removed", code)
        return JSONResponse({"code": code, "object": "adapter", "deleted": True})

    async def watch(self) -> None:
        """Watch the folder until cancelled; returns at once if there is none."""
        while self._folder is not None:
            await asyncio.sleep(_LOOK_S)
            async with self._turn:
                try:
                    found = await run(self._pools.adapters, self._look, self._folder)
                except Exception:
                    _log.exception("the folder of adapters cannot be followed")
                    continue
                if found is not None:
                    self._use(*found)
                    _log.info("adapters: %s", ", ".join(self.codes) or "none")

    def _check(self, request: Request) -> None:
        """Raises Failure if adapters cannot be changed, or not by this client."""
        if not self._facts.config.allow_adapters:
            text = "adapters of this server cannot be changed; it would have to be started with --allow-adapters"
            raise Failure(403, "adapters_fixed", text)
        if not self._auth.has_key(request.headers):
            raise Failure(403, "forbidden", "changing adapters takes an API key; a token is not enough")

    def _take(self, code: str, data: bytes) -> tuple[LoadedAdapter, AdapterBank]:
        """Read, try and store an uploaded adapter. Runs on a thread. Raises Failure."""
        if code not in LANGUAGES:
            raise Failure(400, "bad_language", f"{code!r} is not a known language; give its ISO 639-3 code")
        try:
            with partial_file(Path(tempfile.gettempdir())) as path:
                path.write_bytes(data)
                info, item = read(path, None, self._recognizer.model, where="adapter")
            if info.language != code:
                raise Failure(400, "bad_language", f"the adapter is for {info.language!r}, the address says {code!r}")
            if info.base != self._recognizer.fingerprint:
                mine = self._recognizer.fingerprint[:12]
                text = f"the adapter is for another model: trained behind {info.base[:12]}, this is {mine}"
                raise Failure(409, "wrong_base", text)
            found = LoadedAdapter(self._placed(item), info, "upload")
            bank = _bank({**self._loaded, code: found})
            assert bank is not None
            self._try(bank, code)
        except SpeechError as error:
            raise Failure(400, "bad_adapter", str(error)) from error
        if self._folder is not None:
            try:
                info, _ = put(self._folder, data, info.base, self._recognizer.model, where="adapter")
                found = replace(found, info=info, source="folder", stamp=_stamp(info.path))
            except (SpeechError, OSError) as error:
                raise Failure(500, "not_kept", f"the adapter could not be kept: {error}") from error
        return found, bank

    def _placed(self, item: AdapterFile) -> Adapter:
        return item.adapter.to(self._recognizer.model.device)

    @torch.inference_mode()
    def _try(self, bank: AdapterBank, code: str) -> None:
        """Run an adapter once on zeros, so that errors and lazy initialization do not hit a session."""
        device = self._recognizer.model.device
        tap = bank.tap([{code: 1.0}])
        assert tap is not None
        x = torch.zeros(1, 1, self._recognizer.model.dim, device=device)
        for layer in sorted(bank.layers):
            tap(layer, x)

    def _look(self, folder: Path) -> tuple[dict[str, LoadedAdapter], AdapterBank | None] | None:
        """Read the folder; None if its files have not changed. Runs on a thread."""
        paths = sorted(folder.glob(f"*{SUFFIX}"))
        stamps = {path: stamp for path in paths if (stamp := _stamp(path)) is not None}
        before = {loaded.info.path: loaded for loaded in self._loaded.values()}
        if stamps == {path: loaded.stamp for path, loaded in before.items()} | self._bad:
            return None
        found: dict[str, LoadedAdapter] = {}
        self._bad = {}
        for path, stamp in stamps.items():
            known = before.get(path)  # stays in use if its new file is damaged
            try:
                if known is None or known.stamp != stamp:
                    info, item = read(path, self._recognizer.fingerprint, self._recognizer.model, where=str(path))
                    known = LoadedAdapter(self._placed(item), info, "folder", stamp)
                if known.info.language in found:
                    raise ModelError(f"is a second adapter for {known.info.language!r}", where=str(path))
            except ModelError as error:
                _log.warning("an adapter is not taken: %s", error)
                self._bad[path] = stamp
            if known is not None:
                found.setdefault(known.info.language, known)
        bank = _bank(found)
        if bank is not None:
            for code in found:
                self._try(bank, code)
        return found, bank

    def _use(self, loaded: Mapping[str, LoadedAdapter], bank: AdapterBank | None) -> None:
        """Switch to another set, on the event loop. A chunk or part in progress still uses the old bank."""
        self._loaded = loaded
        self._recognizer.adapters = bank
        own = self._recognizer.known
        self._facts.languages = (*own, *(code for code in sorted(loaded) if code not in own))
        self._telemetry.adapters.set(len(loaded))

    def _known(self) -> str:
        return f"there are: {', '.join(self.codes)}" if self._loaded else "there is none"


def _bank(loaded: Mapping[str, LoadedAdapter]) -> AdapterBank | None:
    return AdapterBank({code: item.adapter for code, item in loaded.items()}) if loaded else None


def _stamp(path: Path) -> Stamp | None:
    """Modification time, size and inode, which differ once a file is replaced; None if there is no file."""
    try:
        status = path.stat()
    except OSError:  # it was just removed
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _record(loaded: LoadedAdapter) -> dict[str, Any]:
    info = loaded.info
    return {
        "code": info.language,
        "object": "adapter",
        "name": LANGUAGES[info.language].name,
        "layers": list(info.layers),
        "width": info.width,
        "tokens": len(info.tokens),
        "parameters": info.parameters,
        "bytes": info.size,
        "scores": dict(info.scores),
        "source": loaded.source,
    }
