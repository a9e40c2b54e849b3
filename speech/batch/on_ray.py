"""Ray actors as workers, on one machine or many (extra `ray`).

Only paths and transcripts are sent; the actor that holds the model reads and decodes the audio, so all machines must
see the files at the same paths.

No code or environment is copied to the workers, whatever command started the driver. On a cluster that the pool starts,
they run in the driver's interpreter and environment. On a running cluster they use the environment that its nodes were
started in, because the driver's may not exist there.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speech.batch.pool import Outcome, Read, Timeouts, Workers, answer
from speech.errors import ConfigError, SpeechError
from speech.extras import needs_extra

UV_HOOK = "RAY_ENABLE_UV_RUN_RUNTIME_ENV"
"""Ray's uv hook, on by default: under `uv run`, Ray packs the working directory and starts each worker with the
driver's command line, which may name a program that exists only on the driver's machine."""

_log = logging.getLogger(__name__)


class RayWorkerError(SpeechError):
    """Ray or its workers cannot start."""


_PARTS = 10_000
"""Ray divides a GPU into this many parts."""
_CPUS = 1
"""CPUs, and threads, per actor."""


class ReadingActor:
    """The class of the actors.

    Args:
        open_reader: called once, to load the model.
        folder: working directory for relative paths, if it exists on this machine.
    """

    def __init__(self, open_reader: Callable[[], Read], folder: str) -> None:
        self._error: SpeechError | None = None
        with contextlib.suppress(OSError):
            os.chdir(folder)
        try:
            self._read = open_reader()
        except SpeechError as error:
            self._error = error

    def ready(self) -> SpeechError | None:
        """Return the error that prevents reading, or None if the actor is ready."""
        return self._error

    def read(self, path: str) -> Any:
        """Return a transcript, or the error that prevented it."""
        return answer(self._read, path)


@dataclass(slots=True)
class _WorkerActor:
    actor: Any
    pending: Any
    """Reference to the pending call: `ready` first, then `read`."""
    path: str | None = None
    since: float = field(default_factory=time.monotonic)


class RayPool(Workers[_WorkerActor]):
    """Pool of Ray actors with a model each.

    The constructor returns as soon as one actor is ready; others join during `wait`.

    Args:
        open_reader: called once in each actor; a SpeechError that it raises ends the pool.
        workers: number of actors; None: as many as fit on the cluster.
        gpus: GPUs per actor; if more `workers` are requested than fit, several share each GPU.
        address: of a running cluster; None: the one in `RAY_ADDRESS` or started by `ray start` on this machine,
            otherwise a new one.
        limits: timeouts; an actor that does not load in time is dropped, and the others continue.

    Raises:
        ConfigError: if Ray is not installed, or not even one actor fits on the cluster.
        RayWorkerError: if the cluster cannot be reached or started, or no actor is ready in time.
        SpeechError: if an actor cannot load its model.
    """

    def __init__(
        self,
        open_reader: Callable[[], Read],
        workers: int | None = None,
        *,
        gpus: float = 0.0,
        address: str | None = None,
        limits: Timeouts | None = None,
    ) -> None:
        self._limits = limits or Timeouts()
        self._ray = _import_ray()
        self._workers: list[_WorkerActor] = []
        self._starting: list[_WorkerActor] = []
        self._logs: Path | None = None
        self._began_at = time.time()
        self._began = not self._ray.is_initialized()
        try:
            if self._began:
                self._begin(address)
            room = self._room(gpus)
            if gpus and workers is not None and 0 < room < workers:
                gpus = math.floor(gpus / math.ceil(workers / room) * _PARTS) / _PARTS
                room = self._room(gpus)
            if room < 1:
                raise ConfigError(f"no node of the cluster has {_CPUS} CPUs and {gpus:g} GPUs", fix="Ask for less.")
            self._try_to_start(gpus)
            # Spread actors over nodes. Ray does not restart them: the pool replaces a dead actor, since it knows the
            # actor's file.
            actor = self._ray.remote(ReadingActor).options(
                num_cpus=_CPUS, num_gpus=gpus, max_restarts=0, scheduling_strategy="SPREAD"
            )
            self._new = lambda: actor.remote(open_reader, str(Path.cwd()))
            self._starting = [self._start() for _ in range(min(workers or room, room))]
            while not self._workers:
                self._hear()
        except BaseException:
            self.close()
            raise

    def _begin(self, address: str | None) -> None:
        _check_address(address or os.environ.get("RAY_ADDRESS", ""), self._limits.start_s)
        try:
            context = self._ray.init(
                address=address, log_to_driver=False, configure_logging=False, include_dashboard=False
            )
        except Exception as error:  # Ray has no common base class for these errors
            raise RayWorkerError(f"Ray does not start: {_reason(error)}", where=address) from error
        session = getattr(context, "address_info", {}).get("session_dir")
        self._logs = session and Path(session) / "logs"

    def _room(self, gpus: float) -> int:
        """Number of actors that fit on the cluster."""
        fits = 0
        for node in self._ray.nodes():
            free = node["Resources"] if node["Alive"] else {}
            by_cpu = int(free.get("CPU", 0) // _CPUS)
            fits += min(by_cpu, int(free.get("GPU", 0) // gpus)) if gpus else by_cpu
        return fits

    def _try_to_start(self, gpus: float) -> None:
        """Start a process that does nothing, to detect early that the cluster has no free resources."""
        task = self._ray.remote(lambda: None).options(num_cpus=_CPUS, num_gpus=gpus, max_retries=0)
        nothing = task.remote()
        try:
            self._ray.get(nothing, timeout=self._limits.start_s)
        except self._ray.exceptions.GetTimeoutError:
            self._ray.cancel(nothing, force=True)
            free = self._ray.available_resources()
            raise self._failure(
                f"no worker of Ray has started within {self._limits.start_s:g} s "
                f"(one needs {_CPUS} CPUs and {gpus:g} GPUs; "
                f"free are {free.get('CPU', 0):g} and {free.get('GPU', 0):g})"
            ) from None
        except self._ray.exceptions.RayError as error:
            raise self._failure(f"no worker of Ray can start: {_reason(error)}") from error

    def _failure(self, what: str) -> RayWorkerError:
        said = "" if self._logs is None else _last_words(self._logs, self._began_at)
        fix = "Look at the log files of Ray." if self._logs is None else f"Look at the files in {self._logs}."
        return RayWorkerError(f"{what}: {said}" if said else what, fix=fix)

    def _start(self) -> _WorkerActor:
        actor = self._new()
        return _WorkerActor(actor, actor.ready.remote())

    def submit(self, path: str) -> None:
        """Give a file to a free actor."""
        worker = self._give(path)
        worker.pending, worker.since = worker.actor.read.remote(path), time.monotonic()

    def wait(self) -> list[Outcome]:
        """Block until something happens; return the outcomes, or an empty list if only another actor became ready.

        Raises:
            SpeechError: if an actor cannot load its model, or no actor is left.
        """
        return self._hear()

    def _hear(self) -> list[Outcome]:
        """Wait for the next event and return the outcomes."""
        busy = {worker.pending: worker for worker in self._workers if worker.path is not None}
        starting = {worker.pending: worker for worker in self._starting}
        ends = [worker.since + self._limits.read_s for worker in busy.values()]
        ends += [worker.since + self._limits.load_s for worker in starting.values()]
        left = max(min(ends) - time.monotonic(), 0.0)
        try:
            finished, _ = self._ray.wait([*busy, *starting], num_returns=1, timeout=left)
        except self._ray.exceptions.RayError as error:
            raise self._failure(f"the cluster is lost: {_reason(error)}") from error
        outcomes = [self._take(busy[reference]) for reference in finished if reference in busy]
        for reference in finished:
            if reference in starting:
                self._join(starting[reference])
        return outcomes if finished else self._give_up()

    def _join(self, worker: _WorkerActor) -> None:
        """Handle a starting actor that is ready, failed or died."""
        self._starting.remove(worker)
        try:
            problem = self._ray.get(worker.pending)
        except self._ray.exceptions.RayError as error:
            self._lose(worker, f"an actor ended before it was ready: {_reason(error)}")
            return
        if problem is not None:
            raise problem
        self._workers.append(worker)

    def _lose(self, worker: _WorkerActor, why: str) -> None:
        self._ray.kill(worker.actor)
        if not self._workers and not self._starting:
            raise self._failure(why)
        _log.warning("%s; %d are left", why, len(self._workers) + len(self._starting))

    def _take(self, worker: _WorkerActor) -> Outcome:
        path = worker.path
        assert path is not None
        try:
            outcome = Outcome(path, self._ray.get(worker.pending))
        except self._ray.exceptions.RayTaskError as error:  # the actor is alive
            outcome = Outcome(path, SpeechError(f"could not be read: {_reason(error)}", where=path))
        except self._ray.exceptions.RayError:
            return self._replace(worker)
        worker.path = None
        return outcome

    def _replace(self, worker: _WorkerActor) -> Outcome:
        assert worker.path is not None
        self._workers.remove(worker)
        self._ray.kill(worker.actor)
        self._starting.append(self._start())
        return Outcome(worker.path, None)

    def _give_up(self) -> list[Outcome]:
        """Kill actors that exceeded their time limit."""
        now, limits = time.monotonic(), self._limits
        for worker in [worker for worker in self._starting if now >= worker.since + limits.load_s]:
            self._starting.remove(worker)
            self._lose(worker, f"an actor was not ready within {limits.load_s:g} s")
        silent = [w for w in self._workers if w.path is not None and now >= w.since + limits.read_s]
        return [self._replace(worker) for worker in silent]

    def close(self) -> None:
        """Kill the actors, and shut the cluster down if this pool started it."""
        for worker in [*self._workers, *self._starting]:
            with contextlib.suppress(Exception):  # the cluster may be gone
                self._ray.kill(worker.actor)
        self._workers, self._starting = [], []
        if self._began:
            self._ray.shutdown()


def _import_ray() -> Any:
    """Import Ray with `UV_HOOK` off, unless the environment sets it.

    Raises:
        ConfigError: if Ray is not installed.
    """
    wanted = os.environ.setdefault(UV_HOOK, "0")
    constants = sys.modules.get("ray._private.ray_constants")
    if constants is not None:  # already imported, perhaps under another value of the environment variable
        setattr(constants, UV_HOOK, wanted.lower() in ("true", "1"))
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise ConfigError("needs the package ray", fix=needs_extra("ray")) from error


def _check_address(address: str, limit_s: float) -> None:
    """Raise RayWorkerError if nothing listens at HOST:PORT: Ray would retry for minutes and then exit the process."""
    found = re.fullmatch(r"(?:ray://)?(?P<host>[^/]+):(?P<port>\d{1,5})", address)
    if found is None:  # a word such as "auto", or an address that Ray itself rejects
        return
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), timeout=limit_s).close()
    except (OSError, OverflowError) as error:
        raise RayWorkerError(
            f"no Ray cluster is reached: {error}", where=address, fix="Give the address of its head: HOST:PORT."
        ) from error


def _reason(error: BaseException) -> str:
    """Ray's error message in one line: its last non-empty line, without colour codes."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), type(error).__name__)


def _last_words(logs: Path, since: float) -> str:
    """The newest last line of the error logs of workers, raylet and runtime environments, changed after `since`."""
    newest, words = since, ""
    for path in [*logs.glob("worker-*.err"), *logs.glob("raylet.err"), *logs.glob("runtime_env_setup-*.err")]:
        with contextlib.suppress(OSError):
            changed = path.stat().st_mtime
            lines = [line for line in path.read_text("utf-8", "replace").splitlines() if line.strip(" :")]
            lines = [line for line in lines if not line.startswith((":job_id:", ":task_name:", ":actor_name:"))]
            if lines and changed >= newest:
                newest, words = changed, lines[-1].strip()
    return words
