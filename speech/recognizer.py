"""The public interface of a model: load it by name and transcribe files or arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from speech.audio import SAMPLE_RATE
from speech.audio.input.blocks import blocks_of
from speech.choices import AUTO
from speech.decode.bias.phrases import Phrase
from speech.decode.ctc.greedy import greedy
from speech.errors import SpeechError
from speech.models.base import CtcModel
from speech.models.devices import check_device
from speech.models.hub import EMBEDDED, locate
from speech.models.precision import Precision
from speech.models.translation_targets import Targets
from speech.recognize.file_groups import in_groups
from speech.recognize.full_context import FullContextPass
from speech.recognize.known_text import align_text
from speech.recognize.label_pass import LabelPass
from speech.recognize.loaded import LoadedModel
from speech.recognize.loading import LoadOptions, load_reader
from speech.recognize.offline import OfflineConfig, by_ctc
from speech.recognize.part_reader import PartReader
from speech.recognize.request import Request
from speech.recognize.text_translation import TextTargets
from speech.recognize.text_translators import open_translator
from speech.recognize.token_decoder import Decoder
from speech.recognize.transcripts import transcript_of
from speech.stream.engine import Engine, EngineConfig
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.transcript import Transcript
from speech.translate.text.translator import TextTranslator
from speech.translate.toxicity import ToxicWords

_ALIGN_S = 300
_GROUP_S = 240.0
"""Seconds of audio of short files that are loaded into memory and encoded in one batch."""


class Recognizer(LoadedModel):
    """A loaded model. An input's result does not depend on its batch; for GPUs see `OfflineConfig.alone`."""

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
        reader = FullContextPass(model, tokenizer, decode, targets, alone=alone, label=label)
        super().__init__(TextTargets(reader, None), config)

    @classmethod
    def of_parts(
        cls,
        reader: PartReader,
        config: OfflineConfig | None = None,
        translator: TextTranslator | None = None,
        toxic_words: ToxicWords | None = None,
    ) -> Recognizer:
        """Build a recognizer from any `PartReader`, such as a label model without CTC.

        Raises:
            ConfigError: if `config` asks for windows and the reader has no CTC.
        """
        recognizer = cls.__new__(cls)
        LoadedModel.__init__(recognizer, TextTargets(reader, translator, toxic_words), config)
        return recognizer

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
        toxic_words: str | Path | None = None,
        translator: TextTranslator | str | None = None,
    ) -> Recognizer:
        """Load a model and its adapters.

        Args:
            name: "embedded", a directory, or a hub id.
            device: cpu, cuda, cuda:1 (the second GPU), mps or xpu.
            precision: number format of the computation; see `Precision`.
            config: how audio is segmented and batched.
            beam: beam width; 1: greedy. None: 8 if there is a language model, otherwise 1.
            language_model: n-gram file over the model's pieces: `.safetensors` as `TokenNgram` writes it, otherwise
                ARPA or KenLM's binary (extra `kenlm`). None: the one beside the model, with its words, if any.
            conditioning_top: number of best tokens per frame that self-conditioning feeds back; None: all. With a large
                vocabulary, a few (such as 16) are faster with nearly the same result.
            graph: decode with a graph of allowed texts instead of a beam (extra `graph`): a text file with a word on
                each line, or an n-gram model over words in ARPA format, `.arpa`.
            adapters: folder of adapter files; None: those beside the model, if any.
            measured_targets: translate only into languages whose scores are in the model's record; False: into all
                languages that the model has tokens for, for example to measure them.
            toxic_words: folder of lists of toxic words, such as `eng.txt` (see `ToxicWords.read`): a translation that
                contains some, while the transcript contains none, is decoded again without them, or reported.
            translator: translates the recognised text into languages that the model itself does not translate into; a
                directory or a hub id, with languages if it does not name them ("DIR=spa:fra"; see `open_translator`).

        Raises:
            ModelError: if there is no such model, the model or an adapter is damaged, or an adapter is for another
                model.
            DataError, FileError: if a list of toxic words is faulty or cannot be read.
            ConfigError: if the beam is below 1, a language model is given with a beam of 1, either is combined with a
                graph, the model cannot write a word, the device is missing, or the device does not support the
                precision; if a model without CTC is given an option that needs CTC: language model, graph, adapters,
                `conditioning_top`; if nothing can use toxic words, or there is no list of English for a label decoder.
        """
        words = None if toxic_words is None else ToxicWords.read(Path(toxic_words))
        opened = open_translator(translator) if isinstance(translator, str) else translator
        options = LoadOptions(
            precision=precision,
            alone=True if config is not None and config.alone else None,
            beam=beam,
            language_model=language_model,
            conditioning_top=conditioning_top,
            graph=graph,
            adapters=adapters,
            measured_targets=measured_targets,
            toxic_words=words,
            text_targets=() if opened is None else opened.targets,
        )
        place = check_device(device, allocate=True)
        folder = locate(name)
        recognizer = cls.of_parts(load_reader(folder, place, options), config, opened, words)
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
            source: path, "-" for standard input, samples `(n,)` or `(n, channels)` at `rate` Hz, or an iterator of mono
                blocks `(n,)` at 16 kHz, such as `stream_audio` yields; blocks are consumed lazily.
            rate: sample rate of an array, in Hz.
            language: of the speech, or several separated by commas; "auto" identifies it among those that the model
                itself knows. A language that only an adapter knows must be named, alone.
            to: target language of a translation.
            phrases: phrases to boost, such as names.
            plain: write without capitals and punctuation.
            nbest: number of most likely texts to return, 1 to 10; there may be fewer.
            channel: use this channel, from 0; None: the mean of all.
            track: use this audio track of a file, from 0; None: the file's default.

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
        """Align a known text with audio: find the start and end time of each word.

        Args:
            source: path, "-" for standard input, or samples `(n,)` or `(n, channels)` at `rate` Hz; up to five minutes.
            text: the complete text, in order; it is returned without case and punctuation.
            rate: sample rate of an array, in Hz.
            language: of the speech; "auto" identifies it. Name the language to align letters that only its adapter
                has.
            channel: use this channel, from 0; None: the mean of all.
            track: use this audio track of a file, from 0; None: the file's default.

        Raises:
            AudioError: if the source cannot be read, is longer than five minutes, or has no such channel or track.
            LanguageError: if a language is unknown, or the model does not know it.
            ConfigError: if the model has no CTC.
            SpeechError: if the model cannot write a character of the text, or the text is too long for the audio.
        """
        by_ctc(self._second_pass, "alignment")
        request = Request.parse(language)
        self.check(request)
        samples = np.concatenate(list(blocks_of(source, rate, channel, track, max_s=_ALIGN_S)))
        return transcript_of(self._second_pass, align_text(self._reader, samples, text, request), request)

    def engine(self, config: EngineConfig | None = None) -> Engine:
        """Create an engine for live use: `engine().open()` opens a session that takes samples and returns events."""
        return Engine(self._second_pass, config, self._targets.translator, self._targets.toxic_words)

    def transcribe_files(
        self,
        paths: Sequence[str | Path],
        request: Request | None = None,
        *,
        channel: int | None = None,
        track: int | None = None,
    ) -> Iterator[tuple[str, Transcript | SpeechError]]:
        """Transcribe files, batching short ones; a bad file yields its error and does not stop the others.

        Args:
            paths: files, or "-" for standard input; results come in this order.
            request: options for all files.
            channel: for each file, see `transcribe`.
            track: for each file, see `transcribe`.
        """
        request = request or Request()
        self.check(request)
        yield from in_groups(paths, lambda files: self._read(files, request), _GROUP_S, channel, track)

    def _read(self, files: Sequence[Iterable[np.ndarray]], request: Request) -> list[Transcript]:
        self.check(request)
        asked = self._targets.spoken(request)
        found = self._reader.read(files, asked)
        transcripts = [transcript_of(self._second_pass, parts, asked) for parts in found]
        return transcripts if asked is request else self._targets.translated(found, transcripts, request)
