"""The public way to use a model: load it by name, give it files or arrays, get transcripts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from speech.audio.io import SAMPLE_RATE, load_audio, stream_audio, to_mono_16k
from speech.decode.beam import BeamDecoder
from speech.decode.compiled_beam import prepare
from speech.decode.forced_alignment import align
from speech.decode.graph import GraphDecoder
from speech.decode.greedy import greedy
from speech.decode.lexicon import Lexicon
from speech.decode.phrases import Phrase
from speech.decode.prefix_beam import KenLm
from speech.decode.token_ngram import TokenNgram
from speech.errors import AudioError, ConfigError, ModelError, SpeechError
from speech.models.adapter_file import fingerprint, load_bank
from speech.models.checkpoint import LANGUAGE_MODEL, LEXICON, load_checkpoint
from speech.models.hub import EMBEDDED, locate
from speech.models.owsm_ctc import OwsmCtc
from speech.models.precision import Precision, with_precision
from speech.nn.adapters import AdapterBank
from speech.stream.engine import Engine, EngineConfig
from speech.stream.offline import OfflineConfig, OfflineReader
from speech.stream.second_pass import AUTO, Heard, Request, SecondPass
from speech.stream.writing import Decoder
from speech.text.normalize import plain_text
from speech.text.tokenizer import Tokenizer
from speech.transcript import Transcript, join

_BEAM = 8
_ALIGN_S = 300


class Recognizer:
    """A loaded model. One result for one input, whatever else is in its batch."""

    def __init__(
        self, model: OwsmCtc, tokenizer: Tokenizer, config: OfflineConfig | None = None, decode: Decoder = greedy
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._second_pass = SecondPass(model, tokenizer, decode)
        self._reader = OfflineReader(self._second_pass, config)
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
    ) -> Recognizer:
        """Load a model, and its adapters.

        Args:
            name: "embedded", a directory, or a hub id.
            device: of torch.
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

        Raises:
            ModelError: if there is no such model, or it or an adapter is damaged, or an adapter is for another model.
            ConfigError: if the beam is below 1, there is a language model without one, or either beside a graph, the
                model cannot write a word, or the device cannot compute in that precision.
        """
        if graph is not None and (beam is not None or language_model is not None):
            raise ConfigError("a graph takes the place of beam and language model", fix="Leave them out.")
        if beam is not None and (beam < 1 or (language_model is not None and beam == 1)):
            raise ConfigError(f"beam {beam}", fix="Give 1, or more where a language model is to help, e.g. 8.")
        folder = locate(name)
        checkpoint = load_checkpoint(folder, device=device, as_stored=torch.device(device).type == "cpu")
        lexicon: Path | None = None
        if language_model is None and (folder / LANGUAGE_MODEL).is_file():
            language_model = folder / LANGUAGE_MODEL
            lexicon = folder / LEXICON if (folder / LEXICON).is_file() else None
        if beam is None:
            beam = _BEAM if language_model is not None else 1
        decode: Decoder = greedy
        if graph is not None:
            decode = _graph_decoder(Path(graph), checkpoint.tokenizer)
        elif beam > 1:
            decode = _beam_decoder(beam, language_model, lexicon, checkpoint.tokenizer)
        model = with_precision(checkpoint.model, precision, conditioning_top=conditioning_top)
        recognizer = cls(model, checkpoint.tokenizer, config, decode)
        recognizer._folder = folder
        bank = load_bank(folder, None if adapters is None else Path(adapters))
        recognizer.adapters = None if bank is None else bank.to(device)
        return recognizer

    def transcribe(
        self,
        source: str | Path | np.ndarray,
        *,
        rate: int = SAMPLE_RATE,
        language: str = AUTO,
        to: str | None = None,
        phrases: Sequence[Phrase] = (),
    ) -> Transcript:
        """Transcribe (or with `to` translate) one file or array.

        Args:
            source: path, or samples `(n,)` or `(n, channels)` at `rate` Hz.
            rate: of an array.
            language: of the speech, or several with commas between; "auto" identifies it, if it is one that the model
                itself knows. One that only an adapter knows is named, alone.
            to: target language of a translation.
            phrases: that may well be said, such as names.

        Raises:
            AudioError: if the source cannot be read.
            LanguageError: if a language is unknown, or the model does not know it.
            ConfigError: if the model cannot write a phrase.
        """
        blocks = [to_mono_16k(source, rate)] if isinstance(source, np.ndarray) else stream_audio(source)
        return self._read([blocks], Request.parse(language, to, phrases))[0]

    def align(
        self, source: str | Path | np.ndarray, text: str, *, rate: int = SAMPLE_RATE, language: str = AUTO
    ) -> Transcript:
        """When each word of a known text is said.

        Args:
            source: path, or samples `(n,)` or `(n, channels)` at `rate` Hz; up to five minutes.
            text: what is said, whole and in order; it is written as the model writes, without case and punctuation.
            rate: of an array.
            language: of the speech; "auto" identifies it. Letters that only an adapter has can be aligned where its
                language is named.

        Raises:
            AudioError: if the source cannot be read, or is longer.
            LanguageError: if a language is unknown, or the model does not know it.
            SpeechError: if the text has characters that the model cannot write, or more than the audio has frames for.
        """
        request = Request.parse(language)
        self.check(request)
        samples = to_mono_16k(source, rate) if isinstance(source, np.ndarray) else load_audio(source)
        if len(samples) > _ALIGN_S * SAMPLE_RATE:
            where = "array" if isinstance(source, np.ndarray) else str(source)
            raise AudioError(
                f"has {len(samples) / SAMPLE_RATE:.0f} s, alignment takes {_ALIGN_S}", where=where, fix="Cut it."
            )
        plain = plain_text(text)
        extension = self._second_pass.named(request)
        tokenizer = self.tokenizer if extension is None else extension.tokenizer
        ids, no_letter = tokenizer.encode(plain), tokenizer.vocabulary.unk
        if not ids or no_letter in ids:
            unk = [c for c in sorted(set(plain) - {" "}) if no_letter in tokenizer.encode(c)]
            raise SpeechError(
                f"the text has characters that the model does not write: {unk}" if ids else "the text is empty",
                fix="Write them as words.",
            )
        parts, log_probs = self._reader.listen([samples], request, extension)
        spans = align(log_probs, ids).spans
        spans = spans if extension is None else extension.said(spans)
        parts[0] = replace(parts[0], spans=spans, end_s=parts[-1].end_s)
        return self._transcript(parts, request)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights on disk, by which adapters name their base; they are read when it is first asked for.

        Raises:
            ModelError: if it was not loaded from disk.
        """
        if self._folder is None:
            raise ModelError("was not loaded from disk, and has no fingerprint", fix="Use from_pretrained.")
        return fingerprint(self._folder)

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
        """Raises LanguageError or ConfigError if the model does not know a language, or cannot write a phrase.

        While somebody holds what it returns, phrases are not compiled again.
        """
        return self._second_pass.check(request)

    def engine(self, config: EngineConfig | None = None) -> Engine:
        """For live use: `engine().open()` is a session that takes samples and gives events."""
        return Engine(self._second_pass, config)

    def transcribe_files(
        self, paths: Sequence[str | Path], request: Request | None = None, *, group_s: float = 240.0
    ) -> Iterator[tuple[str, Transcript | SpeechError]]:
        """Transcribe files, short ones together; a bad file yields its error and does not stop the others.

        Args:
            paths: files, or "-" for standard input; results come in this order.
            request: the same for all.
            group_s: seconds of short files that are decoded into memory before they are encoded together.
        """
        request = request or Request()
        self.check(request)
        group: list[tuple[str, list[np.ndarray]]] = []
        seconds = 0.0
        for path in paths:
            blocks = stream_audio(sys.stdin.buffer.read() if str(path) == "-" else path)
            try:
                first = list(_take(blocks, group_s))
            except SpeechError as error:
                yield from self._flush(group, request)
                group, seconds = [], 0.0
                yield str(path), error
                continue
            length = sum(map(len, first)) / SAMPLE_RATE
            if length >= group_s:  # long: alone, as a stream
                yield from self._flush(group, request)
                group, seconds = [], 0.0
                try:
                    yield str(path), self._read([_chain(first, blocks)], request)[0]
                except SpeechError as error:
                    yield str(path), error
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
        found = dict(zip(order, self._read([group[i][1] for i in order], request), strict=True)) if group else {}
        for number, (path, _) in enumerate(group):
            yield path, found[number]

    def _read(self, files: Sequence[Iterable[np.ndarray]], request: Request) -> list[Transcript]:
        self.check(request)
        return [self._transcript(parts, request) for parts in self._reader.read(files, request)]

    def _transcript(self, parts: Sequence[Heard], request: Request) -> Transcript:
        evidence = [part.evidence for part in parts if part.evidence is not None]
        total = torch.stack(evidence).sum(dim=0) if evidence else None
        language, probability = self._second_pass.language(total, sum(part.frames for part in parts), request)
        words = [word for part in parts for word in self._second_pass.words(part, request)]
        return Transcript(
            text=join(words),
            language=language,
            language_probability=probability,
            task="asr" if request.to is None else f"st_{request.to}",
            duration_s=parts[-1].end_s,
            words=tuple(words),
        )


def _beam_decoder(
    beam: int, language_model: str | Path | None, lexicon: Path | None, tokenizer: Tokenizer
) -> BeamDecoder:
    if language_model is None:
        return BeamDecoder(beam=beam)
    path = Path(language_model)
    if path.suffix != ".safetensors":
        return BeamDecoder(beam=beam, scorer=KenLm(path, tokenizer.piece))
    prepare()
    ngram = TokenNgram.load(path)
    words = None if lexicon is None else Lexicon.load(lexicon)
    return BeamDecoder(
        beam=beam,
        scorer=ngram,
        lexicon=words,
        pieces=tokenizer.vocabulary.tokens,
        weight=ngram.weight,
        bonus=ngram.bonus,
    )


def _graph_decoder(path: Path, tokenizer: Tokenizer) -> GraphDecoder:
    if path.suffix.lower() == ".arpa":
        return GraphDecoder.from_arpa(tokenizer, path)
    try:
        words = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path), fix="Give a word on each line.") from error
    return GraphDecoder.from_lexicon(tokenizer, filter(str.strip, words))


def _take(blocks: Iterator[np.ndarray], seconds: float) -> Iterator[np.ndarray]:
    count = 0
    for block in blocks:
        yield block
        count += len(block)
        if count >= seconds * SAMPLE_RATE:
            return


def _chain(first: list[np.ndarray], rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield from first
    yield from rest
