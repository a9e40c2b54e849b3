"""Workers as Ray actors, on one machine or many (extra `ray`).

Only paths and transcripts travel; audio is read and decoded by the actor that holds the model, so all machines must see
the files at the same paths.

Nothing is copied to the workers, whatever command started the driver. On a cluster that the pool begins, they run in
the driver's interpreter and environment; on one that runs already, in the one that its nodes were started in, for the
driver's may not exist there.
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
"""Where it is on, as it is by default, a driver below `uv run` makes Ray pack the working directory and start each
worker with the words of that command line, which may name a program that is nowhere else."""

_log = logging.getLogger(__name__)


class RayWorkerError(SpeechError):
    """Ray, or no worker of it, can be started."""


_PARTS = 10_000
"""Into which Ray divides a GPU."""
_CPUS = 1
"""That an actor takes, and threads that it may use."""


class ReadingActor:
    """What runs in an actor.

    Args:
        open_reader: called once.
        folder: from which relative paths are read, where this machine has it.
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
        """Why it cannot read, if it cannot."""
        return self._error

    def read(self, path: str) -> Any:
        """A transcript, or the error that says why there is none."""
        return answer(self._read, path)


@dataclass(slots=True)
class _WorkerActor:
    actor: Any
    pending: Any
    """What it is asked: whether it is ready, then for a file."""
    path: str | None = None
    since: float = field(default_factory=time.monotonic)


class RayPool(Workers[_WorkerActor]):
    """Actors with a model each.

    It is there as soon as one actor is ready; others join in `wait`.

    Args:
        open_reader: called once in each actor; what it raises as SpeechError ends the pool with that error.
        workers: actors; None: as many as the cluster has room for.
        gpus: that an actor takes; if more `workers` are asked for than that gives, as many share each.
        address: of a running cluster; None: the one that `RAY_ADDRESS` names or `ray start` has begun on this machine,
            otherwise one of the pool's own.
        limits: of waiting; an actor that does not load in time is given up, and the others go on.

    Raises:
        ConfigError: if Ray is not installed, or the cluster has no room for a single actor.
        RayWorkerError: if the cluster is not reached or cannot be begun, or no actor is ready in time; says why.
        SpeechError: if an actor cannot read.
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
            # Actors on different nodes where possible; one that dies is replaced by us, which knows what it had.
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
        except Exception as error:  # Ray has no common class for what may go wrong here
            raise RayWorkerError(f"Ray does not start: {_reason(error)}", where=address) from error
        session = getattr(context, "address_info", {}).get("session_dir")
        self._logs = session and Path(session) / "logs"

    def _room(self, gpus: float) -> int:
        """Actors that fit."""
        fits = 0
        for node in self._ray.nodes():
            free = node["Resources"] if node["Alive"] else {}
            by_cpu = int(free.get("CPU", 0) // _CPUS)
            fits += min(by_cpu, int(free.get("GPU", 0) // gpus)) if gpus else by_cpu
        return fits

    def _try_to_start(self, gpus: float) -> None:
        """Start a process that does nothing: how long that takes does not depend on the model."""
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
        """Give a file to an actor that is free."""
        worker = self._give(path)
        worker.pending, worker.since = worker.actor.read.remote(path), time.monotonic()

    def wait(self) -> list[Outcome]:
        """What has come of some files, when there is something; nothing, when another actor is ready.

        Raises:
            SpeechError: if an actor cannot read, or none is left and none can be started.
        """
        return self._hear()

    def _hear(self) -> list[Outcome]:
        """Wait until something has happened."""
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
        """An actor has said whether it is ready, or died before."""
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
        except self._ray.exceptions.RayTaskError as error:  # the actor lives
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
        """End the actors that have been waited for long enough."""
        now, limits = time.monotonic(), self._limits
        for worker in [worker for worker in self._starting if now >= worker.since + limits.load_s]:
            self._starting.remove(worker)
            self._lose(worker, f"an actor was not ready within {limits.load_s:g} s")
        silent = [w for w in self._workers if w.path is not None and now >= w.since + limits.read_s]
        return [self._replace(worker) for worker in silent]

    def close(self) -> None:
        """End the actors, and the cluster if this pool began it."""
        for worker in [*self._workers, *self._starting]:
            with contextlib.suppress(Exception):  # the cluster is gone
                self._ray.kill(worker.actor)
        self._workers, self._starting = [], []
        if self._began:
            self._ray.shutdown()


def _import_ray() -> Any:
    """Ray with `UV_HOOK` off, unless somebody has said what it shall be.

    Raises:
        ConfigError: if it is not installed.
    """
    wanted = os.environ.setdefault(UV_HOOK, "0")
    constants = sys.modules.get("ray._private.ray_constants")
    if constants is not None:  # Ray was imported before, when the environment may have said something else
        setattr(constants, UV_HOOK, wanted.lower() in ("true", "1"))
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise ConfigError("needs the package ray", fix=needs_extra("ray")) from error


def _check_address(address: str, limit_s: float) -> None:
    """Raise RayWorkerError if nobody listens at HOST:PORT: Ray would try for minutes, and end this process."""
    found = re.fullmatch(r"(?:ray://)?(?P<host>[^/]+):(?P<port>\d{1,5})", address)
    if found is None:  # a word such as "auto", or what Ray itself refuses
        return
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), timeout=limit_s).close()
    except (OSError, OverflowError) as error:
        raise RayWorkerError(
            f"no Ray cluster is reached: {error}", where=address, fix="Give the address of its head: HOST:PORT."
        ) from error


def _reason(error: BaseException) -> str:
    """What Ray says, in one line: the last one of its account, without colours."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), type(error).__name__)


def _last_words(logs: Path, since: float) -> str:
    """The last line that a worker, or who starts the workers, has written about an error since a time."""
    newest, words = since, ""
    for path in [*logs.glob("worker-*.err"), *logs.glob("raylet.err"), *logs.glob("runtime_env_setup-*.err")]:
        with contextlib.suppress(OSError):
            changed = path.stat().st_mtime
            lines = [line for line in path.read_text("utf-8", "replace").splitlines() if line.strip(" :")]
            lines = [line for line in lines if not line.startswith((":job_id:", ":task_name:", ":actor_name:"))]
            if lines and changed >= newest:
                newest, words = changed, lines[-1].strip()
    return words
