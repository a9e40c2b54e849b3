"""Decodes encoded parts with CTC: the best text, alternatives, and scores for the label decoder."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from speech.decode.ctc.frames import CtcFrames, token_index
from speech.decode.ctc.greedy import TokenSpan, collapse, greedy
from speech.models.base import CtcModel
from speech.nn.ctc import CTCHead
from speech.recognize.adapter_tokens import AdapterTokens, Extension
from speech.recognize.encoded import EncodedPart
from speech.recognize.host import to_host
from speech.recognize.label_part import Judged
from speech.recognize.request import Request
from speech.recognize.spoken_languages import written_in
from speech.recognize.token_decoder import Decoder, TokenDecoder
from speech.text.tokenizers.sentencepiece import Tokenizer
from speech.text.vocabulary import WORD_START


class PartDecoder:
    """Decodes parts encoded by `PartEncoder`.

    Args:
        model, tokenizer: of CTC.
        decode: decoder for the base tokens.
        new_tokens: registry of adapter tokens.
    """

    def __init__(self, model: CtcModel, tokenizer: Tokenizer, decode: Decoder, new_tokens: AdapterTokens) -> None:
        self.tokens = TokenDecoder(tokenizer, decode, says_specials=model.writes_prefix)
        self._model, self._tokenizer, self._new_tokens = model, tokenizer, new_tokens
        self._languages = tokenizer.vocabulary.languages

    @torch.inference_mode()
    def spans(self, parts: Sequence[EncodedPart]) -> list[list[TokenSpan]]:
        """Decode each part. Greedy results of all parts are copied to the host at once; a beam search runs part by
        part, and copies only the tokens that it tries per frame."""
        found: dict[int, list[TokenSpan]] = {}
        best: dict[int, tuple[Tensor, Tensor]] = {}
        for row, (x, evidence, request, extension) in enumerate(parts):
            forbidden = self.tokens.forbidden(self._scripts(request), extension)
            decode = self.tokens.decoder(request.phrases, extension)
            if decode is greedy:  # needs no full log-probabilities
                ids, scores = self._head(extension).best(x[None], token_index(forbidden, x.device))
                best[row] = ids[0], scores[0].exp()
            else:
                frames = CtcFrames(self.log_probs(x, extension)[None], torch.tensor([len(x)]), self._model.frame_s)
                spoken = written_in(evidence, request, self._languages)
                found[row] = decode(frames, forbidden=forbidden, languages=spoken)[0]
        heard = iter(to_host([tensor for pair in best.values() for tensor in pair]))
        for row in best:
            found[row] = collapse(next(heard).tolist(), next(heard).tolist())
        return [
            found[row] if part.extension is None else part.extension.said(found[row]) for row, part in enumerate(parts)
        ]

    @torch.inference_mode()
    def nbest(self, part: EncodedPart) -> list[tuple[list[TokenSpan], float]]:
        """See `TokenDecoder.nbest`."""
        x, evidence, request, extension = part
        log_probs, spoken = self.log_probs(x, extension), written_in(evidence, request, self._languages)
        return self.tokens.nbest(log_probs, request.phrases, request.written, spoken, extension)

    @torch.inference_mode()
    def log_probs(self, x: Tensor, extension: Extension | None = None) -> Tensor:
        """Log-probabilities `(T, vocabulary)` of frames `(T, dim)`; the extension's tokens follow the base tokens."""
        return self._head(extension)(x[None])[0]

    def judged(self, part: EncodedPart, spans: Sequence[TokenSpan], adapted: Collection[str]) -> Judged:
        """CTC's scores of a part, for the label decoder.

        Args:
            part: the encoded part.
            spans: result of `spans`.
            adapted: languages with adapters.
        """
        tokenizer = self._tokenizer if part.extension is None else part.extension.tokenizer
        said = "".join(self.piece(span.id) for span in spans if self.says(span)).replace(WORD_START, " ").strip()
        log_probs = self.log_probs(part.x, part.extension).float().cpu().numpy()
        spoken = written_in(part.evidence, part.request, self._languages)
        texts = (said,) if said else ()
        return Judged(log_probs, texts, tokenizer, self._model.frame_s, frozenset(adapted), spoken)

    def says(self, span: TokenSpan) -> bool:
        """Whether a token is text, rather than a language or task token."""
        return not self._new_tokens.tokenizer.vocabulary.is_special(span.id)

    def piece(self, token: int) -> str:
        """See `Tokenizer.piece`; also covers adapter tokens, even if their adapter has been removed."""
        return self._new_tokens.tokenizer.piece(token)

    def _scripts(self, request: Request) -> tuple[str, ...]:
        """Languages whose scripts CTC may write; empty if CTC lacks a requested language: then any script is
        allowed."""
        known = {*self._languages, *self._new_tokens.codes}
        return request.written if known.issuperset(request.written) else ()

    def _head(self, extension: Extension | None) -> CTCHead:
        return self._model.ctc if extension is None else extension.head(self._model.ctc)
