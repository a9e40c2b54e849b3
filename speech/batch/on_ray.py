"""Workers as Ray actors, on one machine or many (extra `ray`).

Only paths and transcripts travel; audio is read and decoded by the actor that holds the model, so all machines must see
the files at the same paths.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from speech.batch.pool import Outcome, Read, Workers, answer
from speech.errors import ConfigError, SpeechError
from speech.extras import needs_extra


class Reader:
    """What runs in an actor."""

    def __init__(self, open_reader: Callable[[], Read]) -> None:
        self._error: SpeechError | None = None
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
class _Worker:
    actor: Any
    path: str | None = None
    pending: Any = None


class RayPool(Workers[_Worker]):
    """Actors with a model each.

    Args:
        open_reader: called once in each actor; what it raises as SpeechError ends the pool with that error.
        workers: actors; None: as many as the cluster has room for.
        cpus: that an actor takes, and threads that it may use.
        gpus: that an actor takes.
        address: of a running cluster; None: the one that `RAY_ADDRESS` names, otherwise one on this machine.

    Raises:
        ConfigError: if Ray is not installed, or the cluster has no room for a single actor.
        SpeechError: if an actor cannot read.
    """

    def __init__(
        self,
        open_reader: Callable[[], Read],
        workers: int | None = None,
        *,
        cpus: int = 1,
        gpus: float = 0.0,
        address: str | None = None,
    ) -> None:
        try:
            self._ray = importlib.import_module("ray")
        except ModuleNotFoundError as error:
            raise ConfigError("needs the package ray", fix=needs_extra("ray")) from error
        self._began = not self._ray.is_initialized()
        if self._began:
            self._ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False)
        self._workers: list[_Worker] = []
        room = self._room(cpus, gpus)
        if room < 1:
            self.close()
            raise ConfigError(f"no node of the cluster has {cpus} CPUs and {gpus:g} GPUs", fix="Ask for less.")
        self._open_reader = open_reader
        # Actors on different nodes where possible; one that dies is replaced by us, which knows what it had.
        self._actor = self._ray.remote(Reader).options(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, scheduling_strategy="SPREAD"
        )
        self._workers = [_Worker(self._actor.remote(open_reader)) for _ in range(min(workers or room, room))]
        for problem in self._ray.get([worker.actor.ready.remote() for worker in self._workers]):
            if problem is not None:
                self.close()
                raise problem

    def _room(self, cpus: int, gpus: float) -> int:
        """Actors that fit."""
        fits = 0
        for node in self._ray.nodes():
            free = node["Resources"] if node["Alive"] else {}
            by_cpu = int(free.get("CPU", 0) // cpus)
            fits += min(by_cpu, int(free.get("GPU", 0) // gpus)) if gpus else by_cpu
        return fits

    def submit(self, path: str) -> None:
        """Give a file to an actor that is free."""
        worker = self._give(path)
        worker.pending = worker.actor.read.remote(path)

    def wait(self) -> list[Outcome]:
        """What has come of some files, when there is something."""
        pending = {worker.pending: worker for worker in self._workers if worker.path is not None}
        finished, _ = self._ray.wait(list(pending), num_returns=1)
        return [self._take(pending[reference]) for reference in finished]

    def _take(self, worker: _Worker) -> Outcome:
        path, reference = worker.path, worker.pending
        assert path is not None
        worker.path = worker.pending = None
        try:
            return Outcome(path, self._ray.get(reference))
        except self._ray.exceptions.RayActorError:
            worker.actor = self._actor.remote(self._open_reader)
            return Outcome(path, None)

    def close(self) -> None:
        """End the actors, and the cluster if this pool began it."""
        for worker in self._workers:
            self._ray.kill(worker.actor)
        if self._began:
            self._ray.shutdown()
