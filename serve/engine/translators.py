"""Threads that have the texts of live sessions translated, beside those that read parts: transcripts never wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serve.engine.queue_threads import QueueThreads
from speech.stream.text_jobs import TextJob, run_job
from speech.translate.text.translator import TextTranslator

_STOP_S = 1.0
"""A translator that does not answer is not waited for."""


class TranslatorThreads(QueueThreads[TextJob]):
    """A `TextQueue`. A session and target with a text at the translator waits.

    Args:
        translator: is called on the threads.
        threads, notify: see `QueueThreads`.
    """

    def __init__(self, translator: TextTranslator, threads: int, notify: Callable[[], None]) -> None:
        self._translator = translator
        super().__init__("translator", threads, notify, _STOP_S)

    def want(self, wanted: Sequence[TextJob]) -> None:
        """See `TextQueue`; complete parts go first."""
        super().want(sorted(wanted, key=lambda job: not job.complete))

    def _do(self, batch: Sequence[TextJob]) -> None:
        for job in batch:
            run_job(self._translator, job)
