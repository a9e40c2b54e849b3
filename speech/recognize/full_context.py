"""The second pass: reads parts with full context, for files and for the finals of live streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from speech.audio import SAMPLE_RATE
from speech.decode.ctc.greedy import TokenSpan, greedy
from speech.models.base import CtcModel
from speech.models.translation_targets import Targets, check_target
from speech.nn.adapters import AdapterBank
from speech.nn.encoder.base import Halfway
from speech.recognize.adapter_tokens import AdapterTokens, Extension
from speech.recognize.context import Context
from speech.recognize.encoded import EncodedBatch, EncodedPart
from speech.recognize.kept import kept
from speech.recognize.label_part import Judged, LabelPart
from speech.recognize.label_pass import JointResult, LabelPass
from speech.recognize.part_decoder import PartDecoder
from speech.recognize.part_encoder import PartEncoder
from speech.recognize.part_words import PartWords
from speech.recognize.parts import Part
from speech.recognize.request import NO_LABEL, Request
from speech.recognize.result import PartResult
from speech.recognize.simultaneous import draft_of
from speech.recognize.spoken_languages import language_of
from speech.recognize.token_decoder import Decoder
from speech.recognize.window_reader import read_windows
from speech.recognize.windows import Window
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.transcript import Word


class FullContextPass:
    """Reads parts in batches; the result of a part does not depend on the rest of the batch.

    Args:
        model, tokenizer, decode: CTC model, its tokenizer and decoder.
        targets: languages that may be translated into; None: all that the model has tokens for.
        alone: encode each part by itself; only this gives bit-identical results, since sums over other batch sizes
            are rounded differently. None: only on a CPU, where batching gains next to nothing.
        label: label decoder pass that writes the text; None: CTC writes it.
    """

    def __init__(
        self,
        model: CtcModel,
        tokenizer: Tokenizer,
        decode: Decoder = greedy,
        targets: Targets | None = None,
        *,
        alone: bool | None = None,
        label: LabelPass | None = None,
    ) -> None:
        self.model, self.targets, self.live, self.longest_s = model, targets, model.live, None
        self.label, self.drafts = label, None if label is None else label.drafts
        self.alone = model.device.type == "cpu" if alone is None else alone
        self.tokenizer, self.grid = tokenizer, round(model.frame_s * SAMPLE_RATE)
        self.context_tokens = 0 if label is None else label.config.context_tokens
        self._by_label = NO_LABEL if label is None else label.languages
        new_tokens = AdapterTokens(tokenizer)
        self.decoder = PartDecoder(model, tokenizer, decode, new_tokens)
        self.part_words = PartWords(model.frame_s, self.languages, self.decoder.piece)
        self._encoder = PartEncoder(model, new_tokens, self._by_label, extends=self.decoder.tokens.extends)

    @property
    def languages(self) -> tuple[str, ...]:
        """CTC's languages; see `PartReader`."""
        return self.tokenizer.vocabulary.languages

    @property
    def known(self) -> tuple[str, ...]:
        """See `PartReader`."""
        return tuple(dict.fromkeys((*self.languages, *self._by_label.spoken)))

    @property
    def into(self) -> tuple[str, ...]:
        """See `PartReader`."""
        unmeasured = dict.fromkeys((*self.tokenizer.vocabulary.st_targets, *self._by_label.targets))
        return tuple(unmeasured if self.targets is None else self.targets)

    @property
    def drafts_into(self) -> tuple[str, ...]:
        """See `PartReader`."""
        return tuple(code for code in self._by_label.targets if code in self.into)

    @property
    def adapters(self) -> AdapterBank | None:
        """See `PartEncoder.adapters`."""
        return self._encoder.adapters

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None:
        self._encoder.adapters = bank

    @property
    def by_ctc(self) -> frozenset[str]:
        """ISO 639-3 codes that CTC knows, itself or through an adapter."""
        return frozenset({*self.languages, *self._adapted})

    @property
    def _adapted(self) -> tuple[str, ...]:
        return () if self.adapters is None else self.adapters.codes

    def check(self, request: Request) -> object:
        """Check that a request is supported. Phrases stay compiled while the caller holds the result.

        Raises:
            LanguageError: if the model lacks a language, or does not translate into it.
            ConfigError: if the model cannot write a phrase, or the decoder does not support phrases. Phrases with
                letters that only an adapter has require that its language is named.
        """
        if self.targets is not None and set(request.languages) <= {*self.known}:
            check_target(request.to, self.targets)
        request.prefix(self.tokenizer.vocabulary, self._adapted, self._by_label)
        return self.decoder.tokens.check(request.phrases, self.named(request))

    def hurries(self, request: Request) -> bool:
        """See `PartReader`."""
        return self.label is not None and self.by_ctc.issuperset(request.languages)

    def following(self, part: Part, result: PartResult) -> Context | None:
        """See `PartReader`."""
        return None if self.label is None else self.label.following(part, result)

    def words(self, result: PartResult, request: Request) -> list[Word]:
        """See `PartReader`."""
        return self.part_words.of(result, request)

    def language(self, evidence: Tensor | None, frames: int, request: Request) -> tuple[str, float]:
        """See `PartReader`."""
        return language_of(evidence, frames, request, self.languages)

    def read(self, parts: Sequence[Part], requests: Sequence[Request]) -> list[PartResult]:
        """Encode parts, batched where that pays, and decode each; silent parts are skipped."""
        pairs = [*zip(parts, requests, strict=True)]
        found = self._read([(part, request) for part, request in pairs if not (part.silent or request.draft)])
        return [self._without_ctc(*pair) or next(found) for pair in pairs]

    def _without_ctc(self, part: Part, request: Request) -> PartResult | None:
        """The draft of a growing part, nothing of a silent one; None: CTC has to read the part."""
        if not (part.silent or request.draft):
            return None
        draft = draft_of(self.label, part, request) if request.draft and self.label is not None else None
        return PartResult([], self._no_evidence(), 0, part.end_sample / SAMPLE_RATE, draft=draft)

    def _read(self, asked: Sequence[tuple[Part, Request]]) -> Iterator[PartResult]:
        batches = [[pair] for pair in asked] if self.alone else [asked]
        listened: dict[int, LabelPart] = {}
        for pairs in batches:
            lower = self._lower(pairs[0][0].samples, pairs[0][1], listened) if self.alone else None
            batch = self.encode([part.samples for part, _ in pairs], [request for _, request in pairs], lower)
            encoded = [batch.part(row, request) for row, (_, request) in enumerate(pairs)]
            for (part, _), own, spans in zip(pairs, encoded, self.decoder.spans(encoded), strict=True):
                joint = self._joint(part, own, spans, listened)
                said = self._kept(part, own, spans, joint)
                yield said if own.request.nbest == 1 else self._with_others(said, part, own, joint)

    def _with_others(self, said: PartResult, part: Part, own: EncodedPart, joint: JointResult | None) -> PartResult:
        """Add less likely texts of the part to its result."""
        texts: list[tuple[Sequence[TokenSpan], JointResult | None, float]]
        if joint is None or joint.written is None:
            texts = [(spans, joint, share) for spans, share in self.decoder.nbest(own)]
        else:
            written = (joint.written, *joint.written.others)
            texts = [((), replace(joint, written=one), one.confidence) for one in written]
        others = tuple(replace(self._kept(part, own, spans, one), confidence=share) for spans, one, share in texts[1:])
        return replace(said, confidence=texts[0][2] if texts else 1.0, others=others)

    def _kept(self, part: Part, own: EncodedPart, spans: Sequence[TokenSpan], joint: JointResult | None) -> PartResult:
        """The result of a part, limited to its own frames; the label decoder's text replaces CTC's tokens."""
        said = [span for span in spans if self.decoder.says(span)]
        result = kept(part, self.grid, len(own.x), said, own.evidence, None if joint is None else joint.written)
        if joint is None:
            return result
        return replace(result, language=joint.language, posterior=joint.posterior, draft=joint.draft)

    def _joint(
        self, part: Part, own: EncodedPart, spans: Sequence[TokenSpan], listened: dict[int, LabelPart]
    ) -> JointResult | None:
        """The joint result of label decoder and CTC; None: CTC decides alone."""
        if self.label is None or not self.label.hears(part.samples, own.request):
            return None
        judged = self.decoder.judged(own, spans, self._adapted)
        if not judged.texts:  # CTC finds no text: the part is empty
            return None
        told: dict[str, float] = {}
        if own.evidence is not None and len(own.evidence):
            told = dict(zip(self.languages, own.evidence.mean(dim=0).log_softmax(dim=0).tolist(), strict=True))
        heard = _listen(self.label, part.samples, listened)
        joint = self.label.read(heard, own.request, told, judged, part.before, part.translated)
        written, extension = joint.written, own.extension
        if written is None or extension is None:
            return joint
        return replace(joint, written=replace(written, spans=tuple(extension.said(written.spans))))

    def _lower(self, samples: np.ndarray, request: Request, listened: dict[int, LabelPart]) -> Halfway | None:
        """Output of the encoder layers shared with the label decoder, if it will read the part too."""
        label = self.label
        if label is None or not label.shared_layers or not label.hears(samples, request):
            return None
        return _listen(label, samples, listened).lower

    def judge(self, samples: np.ndarray, request: Request) -> Judged:
        """CTC's scores and texts for one part `(n,)` at 16 kHz."""
        own = self.encode([samples], [request], self._lower(samples, request, {})).part(0, request)
        return self.decoder.judged(own, self.decoder.spans([own])[0], self._adapted)

    def read_windows(self, windows: Iterable[Window], request: Request) -> PartResult:
        """See `window_reader`."""
        return read_windows(windows, request, self.model, self._encoder, self.decoder, self._no_evidence())

    def encode(
        self, heard: Sequence[np.ndarray], requests: Sequence[Request], lower: Halfway | None = None
    ) -> EncodedBatch:
        """See `PartEncoder.encode`."""
        return self._encoder.encode(heard, requests, lower)

    def extension(self, bank: AdapterBank | None, wanted: Mapping[str, float]) -> Extension | None:
        """See `PartEncoder.extension`."""
        return self._encoder.extension(bank, wanted)

    def named(self, request: Request) -> Extension | None:
        """Tokens added by the adapter of the language that the request names, if it names one."""
        return self.extension(self.adapters, request.named)

    def prefix(self, request: Request) -> tuple[int, int]:
        """See `PartEncoder.prefix`."""
        return self._encoder.prefix(request)

    def _no_evidence(self) -> Tensor | None:
        return torch.zeros(len(self.languages)) if self.model.identifies_languages else None


def _listen(label: LabelPass, samples: np.ndarray, listened: dict[int, LabelPart]) -> LabelPart:
    """Encode a part for the label decoder once, however many requests there are; `listened` is keyed by
    `id(samples)`."""
    if id(samples) not in listened:
        listened[id(samples)] = label.listen(samples)
    return listened[id(samples)]
