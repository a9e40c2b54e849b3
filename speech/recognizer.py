"""The public way to use a model: load it by name, give it files or arrays, get transcripts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from speech.audio.input.blocks import blocks_of, chain, take
from speech.audio.input.files import SAMPLE_RATE
from speech.choices import AUTO, Live
from speech.decode.bias.phrases import Phrase
from speech.decode.ctc.greedy import greedy
from speech.decode.words.alignment import align
from speech.errors import ConfigError, LanguageError, ModelError, SpeechError
from speech.files import printable, reason
from speech.models.adapters.file import fingerprint
from speech.models.base import CtcModel
from speech.models.devices import check_device
from speech.models.hub import EMBEDDED, locate
from speech.models.precision import Precision
from speech.models.translation_targets import Targets
from speech.nn.adapters import AdapterBank
from speech.recognize.alternatives import PartReading, readings, together
from speech.recognize.full_context import FullContextPass
from speech.recognize.label_pass import LabelPass
from speech.recognize.loading import LoadOptions, load_reader
from speech.recognize.offline import OfflineConfig, OfflineReader, by_ctc
from speech.recognize.part_reader import PartReader
from speech.recognize.request import Request
from speech.recognize.result import PartResult, spoken_in
from speech.recognize.token_decoder import Decoder
from speech.stream.engine import Engine, EngineConfig
from speech.text.normalize import plain_text
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.transcript import UNDETERMINED, Transcript, join

_ALIGN_S = 300
_IN_SILENCE = 10.0
"""What it costs to align a token to a frame in which nobody speaks, in nats: more than any sound of another word."""
_OF_ALL_FILES = (ConfigError, LanguageError, ModelError)
"""Errors of what is asked for, not of a file."""
_log = logging.getLogger(__name__)


class Recognizer:
    """A loaded model. One result for one input, whatever else is in its batch: on a GPU see `OfflineConfig.alone`."""

    def __init__(
        self,
        model: CtcModel,
        tokenizer: Tokenizer,
        config: OfflineConfig | None = None,
        decode: Decoder = greedy,
        targets: Targets | None = None,
        label: LabelPass | None = None,
    ) -> None:
        alone = True if config is not None and config.alone else None
        self._begin(FullContextPass(model, tokenizer, decode, targets, alone=alone, label=label), config)

    @classmethod
    def of_parts(cls, reader: PartReader, config: OfflineConfig | None = None) -> Recognizer:
        """One that reads parts in any way, such as by a label model alone.

        Raises:
            ConfigError: if they are to be windows, and it has no CTC.
        """
        recognizer = cls.__new__(cls)
        recognizer._begin(reader, config)
        return recognizer

    def _begin(self, reader: PartReader, config: OfflineConfig | None) -> None:
        self._second_pass = reader
        self._reader = OfflineReader(reader, config)
        self._folder: Path | None = None

    @classmethod
    def from_pretrained(
        cls,
        name: str = EMBEDDED,
        *,
        device: str = "cpu",
        precision: Precision = Precision.auto,
        config: OfflineConfig | None = None,
        beam: int | None = None,
        language_model: str | Path | None = None,
        conditioning_top: int | None = None,
        graph: str | Path | None = None,
        adapters: str | Path | None = None,
        measured_targets: bool = True,
    ) -> Recognizer:
        """Load a model, and its adapters.

        Args:
            name: "embedded", a directory, or a hub id.
            device: cpu, cuda, cuda:1 (the second GPU), mps or xpu.
            precision: in which numbers to compute; see `Precision`.
            config: how audio is cut and batched.
            beam: texts kept in the search; 1 takes the best token of each frame. None: 8 if there is a language
                model, otherwise 1.
            language_model: n-gram file over the model's pieces: `.safetensors` as `TokenNgram` writes it, otherwise
                ARPA or KenLM's binary (extra `kenlm`). None: the one beside the model, with its words, if any.
            conditioning_top: tokens of a frame that are fed back into the encoder; None: all. A few, such as 16, are
                quicker and nearly the same where the vocabulary is large.
            graph: of all that may be said, instead of a beam (extra `graph`): a text file with a word on each line,
                or an n-gram model over words in ARPA's format, `.arpa`.
            adapters: folder of their files; None: those that lie beside the model, if any.
            measured_targets: translate only into the languages whose scores are in the model's record; False: into all
                that it has tokens for, as to measure them.

        Raises:
            ModelError: if there is no such model, or it or an adapter is damaged, or an adapter is for another model.
            ConfigError: if the beam is below 1, there is a language model without one, or either beside a graph, the
                model cannot write a word, the device is not there, or it cannot compute in that precision; if a model
                without CTC is given what only CTC can use: language model, graph, adapters, `conditioning_top`.
        """
        options = LoadOptions(
            precision=precision,
            alone=True if config is not None and config.alone else None,
            beam=beam,
            language_model=language_model,
            conditioning_top=conditioning_top,
            graph=graph,
            adapters=adapters,
            measured_targets=measured_targets,
        )
        place = check_device(device, allocate=True)
        folder = locate(name)
        recognizer = cls.of_parts(load_reader(folder, place, options), config)
        recognizer._folder = folder
        return recognizer

    def transcribe(
        self,
        source: str | Path | np.ndarray | Iterator[np.ndarray],
        *,
        rate: int = SAMPLE_RATE,
        language: str = AUTO,
        to: str | None = None,
        phrases: Sequence[Phrase] = (),
        plain: bool = False,
        nbest: int = 1,
        channel: int | None = None,
        track: int | None = None,
    ) -> Transcript:
        """Transcribe (or with `to` translate) one file, array or stream.

        Args:
            source: path, "-" for standard input, or samples `(n,)` or `(n, channels)` at `rate` Hz, or blocks of mono
                samples `(n,)` at 16 kHz, such as `stream_audio` gives, which are asked for as they are read.
            rate: of an array.
            language: of the speech, or several with commas between; "auto" identifies it, if it is one that the model
                itself knows. One that only an adapter knows is named, alone.
            to: target language of a translation.
            phrases: that may well be said, such as names.
            plain: write without capitals and punctuation.
            nbest: so many likely texts are wanted, 1 to 10; there may be fewer.
            channel: the one to hear, from 0; None: the mean of all.
            track: of audio of a file, from 0; None: the one that the file says is the default.

        Raises:
            AudioError: if the source cannot be read, or has no such channel or track.
            LanguageError: if a language is unknown, or the model does not know it.
            ConfigError: if the model cannot write a phrase, or `nbest` is out of range.
        """
        blocks = blocks_of(source, rate, channel, track) if isinstance(source, str | Path | np.ndarray) else source
        return self._read([blocks], Request.parse(language, to, phrases, plain=plain, nbest=nbest))[0]

    def align(
        self,
        source: str | Path | np.ndarray,
        text: str,
        *,
        rate: int = SAMPLE_RATE,
        language: str = AUTO,
        channel: int | None = None,
        track: int | None = None,
    ) -> Transcript:
        """When each word of a known text is said.

        Args:
            source: path, "-" for standard input, or samples `(n,)` or `(n, channels)` at `rate` Hz; up to five minutes.
            text: what is said, whole and in order; it is written as the model writes, without case and punctuation.
            rate: of an array.
            language: of the speech; "auto" identifies it. Letters that only an adapter has can be aligned where its
                language is named.
            channel: the one to hear, from 0; None: the mean of all.
            track: of audio of a file, from 0; None: the one that the file says is the default.

        Raises:
            AudioError: if the source cannot be read, is longer, or has no such channel or track.
            LanguageError: if a language is unknown, or the model does not know it.
            ConfigError: if the model has no CTC.
            SpeechError: if the text has characters that the model cannot write, or more than the audio has frames for.
        """
        second_pass = by_ctc(self._second_pass, "alignment")
        request = Request.parse(language)
        self.check(request)
        samples = np.concatenate(list(blocks_of(source, rate, channel, track, max_s=_ALIGN_S)))
        plain = plain_text(text)
        extension = second_pass.named(request)
        tokenizer = self.tokenizer if extension is None else extension.tokenizer
        ids, no_letter = tokenizer.encode(plain), tokenizer.vocabulary.unk
        if not ids or no_letter in ids:
            unk = [c for c in sorted(set(plain) - {" "}) if no_letter in tokenizer.encode(c)]
            raise SpeechError(
                f"the text has characters that the model does not write: {unk}" if ids else "the text is empty",
                fix="Write them as words.",
            )
        parts, log_probs = self._reader.listen([samples], request, extension)
        log_probs[self._reader.silence(samples, len(log_probs)), 1:] -= _IN_SILENCE
        said = align(log_probs, ids).spans
        parts[0] = replace(parts[0], spans=said if extension is None else extension.said(said), end_s=parts[-1].end_s)
        return self._transcript(parts, request)

    @property
    def second_pass(self) -> FullContextPass:
        """What reads parts of audio with CTC. Raises ConfigError if there is none."""
        return by_ctc(self._second_pass, "its frames")

    @property
    def model(self) -> CtcModel:
        """Of CTC. Raises ConfigError if there is none."""
        return self.second_pass.model

    @property
    def tokenizer(self) -> Tokenizer:
        """Of CTC. Raises ConfigError if there is none."""
        return self.second_pass.tokenizer

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self._second_pass.model.frame_s

    @property
    def parameter_count(self) -> int:
        """Of the model that hears, as it was trained."""
        return self._second_pass.model.parameter_count

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that it tells from one another; adapters may know others."""
        return tuple(self._second_pass.languages)

    @property
    def known(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that may be named, by CTC or a label decoder; adapters bring more."""
        return self._second_pass.known

    @property
    def live(self) -> Live:
        """What live partial results come from."""
        return self._second_pass.live

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights on disk, by which adapters name their base; they are read when it is first asked for.

        Raises ModelError if it was not loaded from disk.
        """
        if self._folder is None:
            raise ModelError("was not loaded from disk, and has no fingerprint", fix="Use from_pretrained.")
        return fingerprint(self._folder)

    @property
    def targets(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that it translates into."""
        return self._second_pass.into

    @property
    def adapters(self) -> AdapterBank | None:
        """Of languages, used where they are spoken; live sessions take another bank from their next chunk on.

        An adapter may bring a language that the model does not know, and letters that it lacks. "auto" never identifies
        such a language: it has no row in the model's language head.
        """
        return self._second_pass.adapters

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None:
        self._second_pass.adapters = bank

    def check(self, request: Request) -> object:
        """Raises LanguageError or ConfigError if it cannot be done; while its result is held, phrases stay compiled."""
        return self._second_pass.check(request)

    def engine(self, config: EngineConfig | None = None) -> Engine:
        """For live use: `engine().open()` is a session that takes samples and gives events."""
        return Engine(self._second_pass, config)

    def transcribe_files(
        self,
        paths: Sequence[str | Path],
        request: Request | None = None,
        *,
        group_s: float = 240.0,
        channel: int | None = None,
        track: int | None = None,
    ) -> Iterator[tuple[str, Transcript | SpeechError]]:
        """Transcribe files, short ones together; a bad file yields its error and does not stop the others.

        Args:
            paths: files, or "-" for standard input; results come in this order.
            request: the same for all.
            group_s: seconds of short files that are decoded into memory before they are encoded together.
            channel, track: of each file, see `transcribe`.
        """
        request = request or Request()
        self.check(request)
        group: list[tuple[str, list[np.ndarray]]] = []
        seconds = 0.0
        for path in paths:
            try:
                blocks = blocks_of(path, SAMPLE_RATE, channel, track)
                first = list(take(blocks, group_s))
            except Exception as error:  # whatever it is, the other files are read
                yield from self._flush(group, request)
                group, seconds = [], 0.0
                yield str(path), _failure(str(path), error)
                continue
            length = sum(map(len, first)) / SAMPLE_RATE
            if length >= group_s:  # long: alone, as a stream
                yield from self._flush(group, request)
                group, seconds = [], 0.0
                yield str(path), self._read_alone(str(path), chain(first, blocks), request)
                continue
            if seconds + length > group_s:
                yield from self._flush(group, request)
                group, seconds = [], 0.0
            group.append((str(path), first))
            seconds += length
        yield from self._flush(group, request)

    def _flush(
        self, group: list[tuple[str, list[np.ndarray]]], request: Request
    ) -> Iterator[tuple[str, Transcript | SpeechError]]:
        order = sorted(range(len(group)), key=lambda i: sum(map(len, group[i][1])))
        try:
            together = self._read([group[i][1] for i in order], request) if group else []
        except _OF_ALL_FILES:
            raise
        except Exception:  # of one of them, or of all that there is memory for: each by itself says which
            _log.debug("files could not be read together", exc_info=True)
            yield from ((path, self._read_alone(path, blocks, request)) for path, blocks in group)
            return
        found = dict(zip(order, together, strict=True))
        for number, (path, _) in enumerate(group):
            yield path, found[number]

    def _read_alone(self, path: str, blocks: Iterable[np.ndarray], request: Request) -> Transcript | SpeechError:
        try:
            return self._read([blocks], request)[0]
        except _OF_ALL_FILES:
            raise
        except Exception as error:
            return _failure(path, error)

    def _read(self, files: Sequence[Iterable[np.ndarray]], request: Request) -> list[Transcript]:
        self.check(request)
        return [self._transcript(parts, request) for parts in self._reader.read(files, request)]

    def _transcript(self, parts: Sequence[PartResult], request: Request) -> Transcript:
        evidence = [part.evidence for part in parts if part.evidence is not None]
        total = torch.stack(evidence).sum(dim=0) if evidence else None
        words = [word for part in parts for word in self._second_pass.words(part, request)]
        language: str = UNDETERMINED
        probability: float | None = None
        if words or len(request.languages) == 1:  # silence is in no language, unless one is named
            frames = sum(part.frames for part in parts)
            told = None if len(request.languages) == 1 else spoken_in(parts)
            language, probability = told or self._second_pass.language(total, frames, request)
        asked = parts if request.nbest > 1 else ()
        several: list[list[PartReading]] = [
            readings(p, lambda one: self._second_pass.words(one, request)) for p in asked
        ]
        return Transcript(
            text=join(words),
            language=language,
            language_probability=probability,
            task="asr" if request.to is None else f"st_{request.to}",
            duration_s=parts[-1].end_s,
            words=tuple(words),
            alternatives=together(several, request.nbest),
        )


def _failure(path: str, error: Exception) -> SpeechError:
    """What is wrong with a file, whatever was raised over it."""
    name = "standard input" if path == "-" else printable(path)
    if not isinstance(error, SpeechError):
        _log.debug("%s could not be read", name, exc_info=error)
        what = reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        return SpeechError(f"cannot be read: {what}", where=name)
    if path == "-":
        return type(error)(error.what, where=name, fix=error.fix)
    return error
