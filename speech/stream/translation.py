"""Simultaneous translation of one stream: when its growing part is read for a draft, and what of it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.errors import ConfigError
from speech.recognize.growing_audio import GrowingAudio
from speech.recognize.part_reader import PartReader, has_trained_policy
from speech.recognize.parts import Part, PartCutter
from speech.recognize.request import Request
from speech.recognize.result import PartResult
from speech.recognize.simultaneous import words_of
from speech.stream.event_writer import EventWriter
from speech.stream.options import StreamOptions, TranslationOptions
from speech.transcript import Toxicity, Word, joined_toxicity
from speech.translate.emma import Emma
from speech.translate.policy import TranslationDraft

_DRAFTS = 8
"""Maximum number of drafts that policies compare."""


class LiveTranslation:
    """See the module's docstring. Drafts are read at fixed samples of the stream, so that the text does not depend on
    when audio arrives.

    Args:
        reader: of parts.
        options: of the stream.

    Raises:
        ConfigError: if a policy is requested and the model drafts no translation into any target, or has no trained
            policy and EMMA's is requested.
    """

    def __init__(self, reader: PartReader, options: StreamOptions) -> None:
        self._reader = reader
        self._written: list[Word] = []
        """Words of the current part."""
        self._tokens: list[tuple[int, float]] = []
        """Tokens of the current part that have been written, with the seconds of the stream that they attend to."""
        self._drafts: list[TranslationDraft] = []
        self._growing: GrowingAudio | None = None
        self._asked = 0
        """Drafts of the stream that were due."""
        self._read = 0
        """Those that have been read."""
        self._toxicity: Toxicity | None = None
        """What was kept out of the text of the current part."""
        self._translated_end = 0
        """End of the speech that the last draft has heard."""
        self.configure(options)

    def configure(self, options: StreamOptions) -> None:
        """Change the options; what has been written of the current part remains. Raises what the class does."""
        target = next((code for code in options.targets if code in self._reader.drafts_into), None)
        if options.translation is not None and options.targets and target is None:
            offered = ", ".join(self._reader.drafts_into) or "no language"
            raise ConfigError(f"this model translates simultaneously into {offered}", fix="Leave the policy out.")
        if options.translation is not None:
            check_policy(options.translation, trained=has_trained_policy(self._reader))
        self._options = options.translation if target is not None else None
        trained = options.translation is not None and isinstance(options.translation.policy, Emma)
        self._request = Request(options.languages, target, plain=options.plain, draft=True, trained=trained)

    @property
    def request(self) -> Request:
        """Request for a draft."""
        return self._request

    def tokens(self, part: Part) -> tuple[int, ...]:
        """The tokens that a reading of the current part continues."""
        return tuple(token for token, _ in self._tokens) if part.growing or self._appends else ()

    def pieces(self, samples: np.ndarray, received: int) -> Iterator[np.ndarray]:
        """Split samples `(n,)` behind each sample of the stream at which a draft may be due; `received` come before."""
        if self._options is None:
            yield samples
            return
        step, at = _step(self._options), 0
        while at < len(samples):
            end = at + step - (received + at) % step
            yield samples[at:end]
            at = end

    def due(self, cutter: PartCutter) -> list[Part]:
        """The current part, if a draft of it is to be read now; otherwise nothing."""
        options, begin = self._options, cutter.speech_begin
        if options is None or begin is None or cutter.received % _step(options):
            return []
        if cutter.received - max(begin, cutter.begin) < options.first_s * SAMPLE_RATE:
            return []
        part = cutter.so_far()
        if part.silent or part.speech_end <= self._translated_end:
            return []
        self._translated_end = part.speech_end
        if self._growing is None or self._growing.start != part.start:
            self._growing = GrowingAudio(part.start)
        self._asked += 1
        return [replace(part, growing=self._growing, draft=self._asked)]

    def take_draft(self, part: Part, heard: PartResult, writer: EventWriter) -> None:
        """Write what the policy allows of a draft."""
        self._read += 1
        writer.skipped = part.draft - self._read
        draft, target = heard.draft, self._request.to
        if draft is None or target is None or self._options is None:
            return
        self._drafts = [*self._drafts[1 - _DRAFTS :], draft]
        self._toxicity = joined_toxicity([self._toxicity if self._appends else None, draft.toxicity])
        if self._write(draft, self._options.policy.decide(self._drafts), part):
            end, found = part.end_sample, self._toxicity
            writer.translation(target, self._written, end, append=self._appends, toxicity=found)

    def complete(self, part: Part, heard: PartResult, request: Request, writer: EventWriter) -> list[Word]:
        """The words of a complete part: a reading that continued `tokens` is appended to what has been written. The
        writer is told what toxicity its translation has added."""
        if request.to is None:
            return self._reader.words(heard, request)
        if request.to != self._request.to or not part.translated:
            writer.add_toxicity(request.to, heard.toxicity)
            return self._reader.words(heard, request)
        if heard.draft is not None:
            self._write(heard.draft, len(heard.draft.tokens), part)
            self._toxicity = joined_toxicity([self._toxicity, heard.draft.toxicity])
        writer.add_toxicity(request.to, self._toxicity)
        return self._written

    def part_ended(self, part: Part) -> None:
        """Begin another part; tokens that translate audio behind the cut belong to it and are not written again."""
        behind = [(token, at_s) for token, at_s in self._tokens if at_s * SAMPLE_RATE > part.end_sample]
        self._tokens = behind if self._appends and not part.quiet else []
        self._drafts, self._written, self._toxicity = [], [], None
        if self._growing is not None and self._growing.start == part.start:
            self._growing = None

    @property
    def _appends(self) -> bool:
        return self._options is not None and self._options.append

    def _write(self, draft: TranslationDraft, count: int, part: Part) -> list[Word]:
        words = words_of(draft, count, part, self._request)
        start_s = part.start / SAMPLE_RATE
        self._tokens += [
            (token, start_s + at_s) for token, at_s in zip(draft.tokens[:count], draft.attended_s[:count], strict=True)
        ]
        self._written += words
        return words


def check_policy(options: TranslationOptions, *, trained: bool) -> None:
    """Raises ConfigError if the policy has to be trained for the model, and none is."""
    if isinstance(options.policy, Emma) and not trained:
        others = "align_att, local_agreement, hold_n or wait_k"
        fix = f"Train one (recipes/streaming_translation/train.py), or use {others}."
        raise ConfigError("emma: this model has no trained policy", fix=fix)


def _step(options: TranslationOptions) -> int:
    return round(options.step_s * SAMPLE_RATE)
