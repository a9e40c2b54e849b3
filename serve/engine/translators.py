"""Threads that have the texts of live sessions translated, beside those that read parts: transcripts never wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence

from speech.stream.text_jobs import TextJob, run_job
from speech.translate.text.translator import TextTranslator


class TranslatorThreads:
    """A `TextQueue`. Threads take complete parts first.

    Args:
        translator: is called on the threads.
        threads: number of threads.
        notify: called after each text.
    """

    def __init__(self, translator: TextTranslator, threads: int, notify: Callable[[], None]) -> None:
        self._translator, self._notify = translator, notify
        self._changed = threading.Condition()
        self._wanted: list[TextJob] = []
        self._done: list[TextJob] = []
        self._taken: set[Hashable] = set()
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, name="translator", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def ready(self) -> bool:
        """Whether finished texts can be collected."""
        return bool(self._done)

    def want(self, jobs: Sequence[TextJob]) -> None:
        """See `TextQueue`; a session and target with a text at the translator waits."""
        with self._changed:
            self._wanted = sorted((job for job in jobs if job.key not in self._taken), key=lambda job: not job.complete)
            if self._wanted:
                self._changed.notify_all()

    def collect(self) -> list[TextJob]:
        """See `TextQueue`."""
        with self._changed:
            done, self._done = self._done, []
            self._taken.difference_update(job.key for job in done)
            return done

    def stop(self) -> None:
        """Stop the threads, each after its current text; do not wait for a translator that does not answer."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=1)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._wanted and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                job = self._wanted.pop(0)
                self._taken.add(job.key)
            run_job(self._translator, job)
            with self._changed:
                self._done.append(job)
            self._notify()
