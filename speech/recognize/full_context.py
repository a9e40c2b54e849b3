"""Segments read with full context: the result offline, and what live partial results are replaced by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from speech.audio.input.files import SAMPLE_RATE
from speech.choices import Live
from speech.decode.ctc.frames import CtcFrames, token_index
from speech.decode.ctc.greedy import TokenSpan, collapse, greedy
from speech.decode.words.labels import TokenEvidence, languages_of
from speech.decode.words.language_id import posterior_among, top
from speech.decode.words.words import WORD_START, finished, mixed_drafts, words_from_tokens
from speech.errors import LanguageError
from speech.models.base import CtcModel
from speech.models.translation_targets import Targets, check_target
from speech.nn.adapters import AdapterBank
from speech.nn.ctc import CTCHead
from speech.nn.encoder.base import Halfway
from speech.recognize.adapter_tokens import AdapterTokens, Extension
from speech.recognize.context import Context
from speech.recognize.encoded import EncodedBatch, EncodedPart
from speech.recognize.host import to_host
from speech.recognize.label_part import Judged, LabelPart
from speech.recognize.label_pass import JointResult, LabelPass
from speech.recognize.part_encoder import PartEncoder
from speech.recognize.parts import Part
from speech.recognize.request import ENGLISH, Request
from speech.recognize.result import PartResult
from speech.recognize.spoken_languages import written_in
from speech.recognize.token_decoder import Decoder, TokenDecoder
from speech.recognize.windows import SharedConvolutions, Window, append_window
from speech.text.languages import resolve
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.transcript import Word, plain_words


class FullContextPass:
    """Reads batches of segments; what a segment says does not depend on its batch mates.

    Args:
        model, tokenizer, decode: what encodes and what writes.
        targets: that may be translated into; None: all that the model has tokens for.
        alone: encode each by itself: sums over other numbers of rows are rounded otherwise, so nothing else gives the
            same numbers to the last bit. None: on a CPU, where batches gain next to nothing.
        label: writes parts; None: their text is CTC's.
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
        self.model, self.label, self.targets = model, label, targets
        self.alone = model.device.type == "cpu" if alone is None else alone
        self.tokenizer = tokenizer
        self.grid = round(model.frame_s * SAMPLE_RATE)
        self.live, self.longest_s = Live.chunks, None
        self.context_tokens = 0 if label is None else label.config.context_tokens
        self._by_label = () if label is None else tuple(label.tokenizer.languages)
        self._new_tokens = AdapterTokens(tokenizer)
        self._writing = TokenDecoder(tokenizer, decode, says_specials=model.writes_prefix)
        self._encoder = PartEncoder(model, self._new_tokens, self._by_label, extends=self._writing.extends)

    @property
    def languages(self) -> tuple[str, ...]:
        """Of CTC; see `PartReader`."""
        return self.tokenizer.vocabulary.languages

    @property
    def known(self) -> tuple[str, ...]:
        """See `PartReader`."""
        return tuple(dict.fromkeys((*self.languages, *self._by_label)))

    @property
    def into(self) -> tuple[str, ...]:
        """See `PartReader`."""
        by_label = () if self.label is None else (ENGLISH,)
        unmeasured = dict.fromkeys((*self.tokenizer.vocabulary.st_targets, *by_label))
        return tuple(unmeasured if self.targets is None else self.targets)

    @property
    def adapters(self) -> AdapterBank | None:
        """See `PartEncoder.adapters`."""
        return self._encoder.adapters

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None:
        self._encoder.adapters = bank

    def following(self, segment: Part, heard: PartResult) -> Context | None:
        """See `PartReader`."""
        return None if self.label is None else self.label.following(segment, heard)

    def hurries(self, request: Request) -> bool:
        """See `PartReader`."""
        return self.label is not None and self.by_ctc.issuperset(request.languages)

    @property
    def by_ctc(self) -> frozenset[str]:
        """ISO 639-3 codes that CTC knows, by itself or by an adapter."""
        return frozenset({*self.languages, *(() if self.adapters is None else self.adapters.codes)})

    def read(self, segments: Sequence[Part], requests: Sequence[Request]) -> list[PartResult]:
        """Encode segments, together where that pays, and decode each; those in which nobody speaks are skipped."""
        asked = [(segment, request) for segment, request in zip(segments, requests, strict=True) if not segment.silent]
        found: Iterator[PartResult] = iter(self._read(asked)) if asked else iter(())
        none = self._no_evidence()
        return [PartResult([], none, 0, s.end_sample / SAMPLE_RATE) if s.silent else next(found) for s in segments]

    def _read(self, asked: Sequence[tuple[Part, Request]]) -> Iterator[PartResult]:
        batches = [[pair] for pair in asked] if self.alone else [asked]
        listened: dict[int, LabelPart] = {}
        for batch in batches:
            segment, request = batch[0]
            lower = self._lower(segment.samples, request, listened) if self.alone else None
            heard = self.encode([segment.samples for segment, _ in batch], [request for _, request in batch], lower)
            parts = [
                EncodedPart(*heard.select(row), request, heard.extensions[row])
                for row, (_, request) in enumerate(batch)
            ]
            for (segment, _), part, spans in zip(batch, parts, self._spans(parts), strict=True):
                verdict = self._verdict(segment, part, spans, listened)
                said = self.keep(segment, spans, part.evidence, len(part.x), verdict)
                yield said if part.request.nbest == 1 else self._with_others(said, segment, part, verdict)

    def _with_others(
        self, heard: PartResult, segment: Part, part: EncodedPart[Request], verdict: JointResult | None
    ) -> PartResult:
        """What is heard, and less likely texts of the same."""
        texts: list[tuple[Sequence[TokenSpan], JointResult | None, float]]
        if verdict is None or verdict.written is None:
            texts = [(spans, verdict, share) for spans, share in self._nbest(part)]
        else:
            found = verdict.written, *verdict.written.others
            texts = [((), replace(verdict, written=one), one.confidence) for one in found]
        others = (
            replace(self.keep(segment, spans, part.evidence, len(part.x), one), confidence=share)
            for spans, one, share in texts[1:]
        )
        return replace(heard, confidence=texts[0][2] if texts else 1.0, others=tuple(others))

    @torch.inference_mode()
    def _nbest(self, part: EncodedPart[Request]) -> list[tuple[list[TokenSpan], float]]:
        """See `TokenDecoder.nbest`."""
        x, evidence, request, extension = part
        log_probs, spoken = self.log_probs(x, extension), written_in(evidence, request, self.languages)
        return self._writing.nbest(log_probs, request.phrases, request.written, spoken, extension)

    def _lower(self, samples: np.ndarray, request: Request, listened: dict[int, LabelPart]) -> Halfway | None:
        """What layers that both halves share make of a part, if the label decoder is to read it too."""
        label = self.label
        if label is None or not label.shared_layers or not label.hears(samples, request):
            return None
        return _listen(label, samples, listened).lower

    def _verdict(
        self, segment: Part, part: EncodedPart[Request], spans: Sequence[TokenSpan], listened: dict[int, LabelPart]
    ) -> JointResult | None:
        """What both halves make of a part."""
        if self.label is None or not self.label.hears(segment.samples, part.request):
            return None
        judged = self._judged(part, spans)
        if not judged.texts:  # CTC hears nothing: nothing is written
            return None
        told: dict[str, float] = {}
        if part.evidence is not None and len(part.evidence):
            told = dict(zip(self.languages, part.evidence.mean(dim=0).log_softmax(dim=0).tolist(), strict=True))
        utterance = _listen(self.label, segment.samples, listened)
        verdict = self.label.read(utterance, part.request, told, judged, segment.before)
        written, extension = verdict.written, part.extension
        if written is None or extension is None:
            return verdict
        return replace(verdict, written=replace(written, spans=tuple(extension.said(written.spans))))

    def _judged(self, part: EncodedPart[Request], spans: Sequence[TokenSpan]) -> Judged:
        tokenizer = self.tokenizer if part.extension is None else part.extension.tokenizer
        said = "".join(self.piece(span.id) for span in spans if self._says(span)).replace(WORD_START, " ").strip()
        log_probs = self.log_probs(part.x, part.extension).float().cpu().numpy()
        adapted = frozenset(() if self.adapters is None else self.adapters.codes)
        spoken = written_in(part.evidence, part.request, self.languages)
        return Judged(log_probs, (said,) if said else (), tokenizer, self.model.frame_s, adapted, spoken)

    def judge(self, samples: np.ndarray, request: Request) -> Judged:
        """What CTC says of one part `(n,)` at 16 kHz."""
        batch = self.encode([samples], [request], self._lower(samples, request, {}))
        part = EncodedPart(*batch.select(0), request, batch.extensions[0])
        return self._judged(part, self._spans([part])[0])

    @torch.inference_mode()
    def _spans(self, parts: Sequence[EncodedPart[Request]]) -> list[list[TokenSpan]]:
        """What each part says. Best tokens of all of them come to the host by one copy; a search is done part by part,
        and takes of each frame no more than it tries."""
        found: dict[int, list[TokenSpan]] = {}
        best: dict[int, tuple[Tensor, Tensor]] = {}
        for row, (x, evidence, request, extension) in enumerate(parts):
            forbidden = self._writing.forbidden(self._scripts(request), extension)
            decode = self.decoder(request, extension)
            if decode is greedy:  # without log-probabilities of all tokens
                ids, scores = self._head(extension).best(x[None], token_index(forbidden, x.device))
                best[row] = ids[0], scores[0].exp()
            else:
                frames = CtcFrames(self.log_probs(x, extension)[None], torch.tensor([len(x)]), self.model.frame_s)
                spoken = written_in(evidence, request, self.languages)
                found[row] = decode(frames, forbidden=forbidden, languages=spoken)[0]
        heard = iter(to_host([tensor for pair in best.values() for tensor in pair]))
        for row in best:
            found[row] = collapse(next(heard).tolist(), next(heard).tolist())
        return [
            found[row] if part.extension is None else part.extension.said(found[row]) for row, part in enumerate(parts)
        ]

    def _scripts(self, request: Request) -> tuple[str, ...]:
        """Languages whose scripts CTC may write; none: any, where it knows one of those asked for by its sound only."""
        known = {*self.tokenizer.vocabulary.languages, *self._new_tokens.codes}
        return request.written if known.issuperset(request.written) else ()

    @torch.inference_mode()
    def log_probs(self, x: Tensor, extension: Extension | None = None) -> Tensor:
        """Of frames `(T, dim)`: `(T, vocabulary)`, with the tokens of an extension behind the base's."""
        return self._head(extension)(x[None])[0]

    def _head(self, extension: Extension | None) -> CTCHead:
        return self.model.ctc if extension is None else extension.head(self.model.ctc)

    def _no_evidence(self) -> Tensor | None:
        return torch.zeros(len(self.languages)) if self.model.identifies_languages else None

    def encode(
        self, heard: Sequence[np.ndarray], requests: Sequence[Request], lower: Halfway | None = None
    ) -> EncodedBatch:
        """See `PartEncoder.encode`."""
        return self._encoder.encode(heard, requests, lower)

    def extension(self, bank: AdapterBank | None, wanted: Mapping[str, float]) -> Extension | None:
        """See `PartEncoder.extension`."""
        return self._encoder.extension(bank, wanted)

    def read_windows(self, windows: Iterable[Window], request: Request) -> PartResult:
        """A whole file, window by window; only tokens are kept. One that goes on across a seam is said once.

        CTC writes it, also where there is a label decoder.
        """
        request = replace(request, quick=True)
        spans: list[TokenSpan] = []
        told: list[TokenEvidence] = []
        total, done, end_s = self._no_evidence(), 0, 0.0
        convolutions = SharedConvolutions(self.model)
        for window in windows:
            heard = convolutions.frames(window)
            lengths = torch.tensor([heard.shape[1]], device=heard.device)
            batch = self._encoder.encode_features(heard, lengths, [request], subsampled=True)
            x, own = batch.select(0)
            x = x[window.first : window.first + window.count]
            own = None if own is None else own[window.first : window.first + window.count]
            found = self._spans([EncodedPart(x, own, request, batch.extensions[0])])[0]
            seam = len(spans)
            append_window(spans, found, done)
            if own is not None and total is not None:
                total += own.sum(dim=0)
                told.append(TokenEvidence.of(found[len(found) - (len(spans) - seam) :], own))
            done, end_s = done + window.count, window.end_sample / SAMPLE_RATE
        said = [self._says(span) for span in spans]
        kept = TokenEvidence.joined(told).select(said) if told else None
        return PartResult([span for span, says in zip(spans, said, strict=True) if says], total, done, end_s, kept)

    def _says(self, span: TokenSpan) -> bool:
        return not self._new_tokens.tokenizer.vocabulary.is_special(span.id)

    def keep(
        self,
        segment: Part,
        spans: Sequence[TokenSpan],
        evidence: Tensor | None,
        frames: int,
        verdict: JointResult | None = None,
    ) -> PartResult:
        """What a segment answers for, of what it heard; what a label decoder wrote takes the place of CTC's tokens."""
        first, last = segment.span(self.grid, frames)
        shift = segment.start // self.grid
        # A token belongs to the segment that holds its first frame.
        own = [span for span in spans if self._says(span) and first <= span.start_frame < last]
        written = None if verdict is None else verdict.written
        if written is not None:
            written = written.within(first, last, rested=segment.rested)
            own = list(written.spans)
        kept = [TokenSpan(span.id, span.start_frame + shift, span.end_frame + shift, span.confidence) for span in own]
        total = None if evidence is None else evidence[first:last].sum(dim=0)
        told = None if evidence is None else TokenEvidence.of(own, evidence)
        words, sure = (None, None) if written is None else (written.words, written.sure)
        code, posterior = (None, None) if verdict is None else (verdict.language, verdict.posterior)
        end_s = segment.end_sample / SAMPLE_RATE
        return PartResult(kept, total, last - first, end_s, told, words, code, posterior, sure=sure)

    def check(self, request: Request) -> object:
        """Whether it can be done. While somebody holds what it returns, phrases are not compiled again.

        Raises:
            LanguageError: if the model lacks a language, or does not translate into it.
            ConfigError: if it cannot write a phrase, or the decoder cannot prefer any. Phrases with letters that only
                an adapter has can be preferred where its language is named.
        """
        bank, vocabulary = self.adapters, self.tokenizer.vocabulary
        if self.targets is not None and set(request.languages) <= {*self.known}:
            check_target(request.to, self.targets)
        request.prefix(vocabulary, () if bank is None else bank.codes, self._by_label)
        return self._writing.check(request.phrases, self.named(request))

    def named(self, request: Request) -> Extension | None:
        """What the adapter of a language that is named adds to what can be written, now."""
        return self.extension(self.adapters, request.named)

    def prefix(self, request: Request) -> tuple[int, int]:
        """See `PartEncoder.prefix`."""
        return self._encoder.prefix(request)

    def decoder(self, request: Request, extension: Extension | None = None) -> Decoder:
        """See `TokenDecoder.decoder`."""
        return self._writing.decoder(request.phrases, extension)

    def forbidden(self, request: Request) -> frozenset[int]:
        """Of the base's tokens, those that cannot be said; see `TokenDecoder.forbidden`."""
        return self._writing.forbidden(request.written)

    def language(self, evidence: Tensor | None, frames: int, request: Request) -> tuple[str, float]:
        """The language that is spoken, among those asked for, and its probability.

        Raises:
            LanguageError: if it is not given, and the model cannot tell.
        """
        if len(request.languages) == 1:
            return request.languages[0], 1.0
        if request.languages and set(request.languages).isdisjoint(self.tokenizer.vocabulary.languages):
            return request.languages[0], 0.0  # a label decoder may tell, CTC cannot
        if evidence is None:
            raise LanguageError("this model does not identify languages", fix="Name the language.")
        return top(self._posterior(evidence, frames, request), self.tokenizer.vocabulary.languages)

    def _posterior(self, evidence: Tensor, frames: int, request: Request) -> Tensor:
        """Of the languages asked for, `(languages,)`, from the sum of the log-posteriors of `frames`."""
        return posterior_among(evidence / max(frames, 1), self.languages, request.languages)

    def piece(self, token: int) -> str:
        """See `Tokenizer.piece`; also of tokens that an adapter has brought, be it here or gone."""
        return self._new_tokens.tokenizer.piece(token)

    def words(self, heard: PartResult, request: Request) -> list[Word]:
        """The words of a segment; each in its language, or in the one that is translated into."""
        code = request.to or heard.language or self.language(heard.evidence, heard.frames, request)[0]
        times = {"frame_s": self.model.frame_s, "offset_s": 0.0, "duration_s": heard.end_s}
        if heard.written is None and (request.to is not None or len(request.languages) == 1 or heard.told is None):
            spaces = resolve(code).spaces
            words = words_from_tokens(heard.spans, self.piece, language=code, spaces=spaces, **times)
            return plain_words(words) if request.plain else words
        drafts = mixed_drafts(heard.spans, self.piece) if heard.written is None else heard.drafts
        known = self.tokenizer.vocabulary.languages
        codes: Sequence[str] = [code] * len(drafts)
        if request.to is None and len(request.languages) != 1 and heard.told is not None and code in known:
            allowed = [code for code in request.languages if code in known] or known
            codes = languages_of(drafts, heard.told, known, allowed, code)
        words = finished(heard.spans, drafts, codes, **times)
        return plain_words(words) if request.plain else words


def _listen(label: LabelPass, samples: np.ndarray, listened: dict[int, LabelPart]) -> LabelPart:
    """The label decoder listens to a part once, whatever is asked; `listened` is by `id`."""
    if id(samples) not in listened:
        listened[id(samples)] = label.listen(samples)
    return listened[id(samples)]
