"""Parts encoded by CTC's encoder with full context, with adapters of languages where they have any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from speech.decode.words.language_id import posterior_among
from speech.models.base import CtcModel
from speech.nn.adapters import AdapterBank
from speech.nn.encoder.base import Halfway
from speech.recognize.adapter_tokens import AdapterTokens, Extension
from speech.recognize.encoded import EncodedBatch, batch_of
from speech.recognize.request import Request
from speech.recognize.spoken_languages import POSSIBLE

_ADAPTED = 0.5
"""Probability from which a part is heard with the adapters of the languages that it may be in."""


class PartEncoder:
    """Encodes batches of parts.

    Args:
        model: what encodes.
        new_tokens: that adapters bring.
        extends: whether those can be written.
        written: ISO 639-3 codes that a label decoder writes.
    """

    def __init__(self, model: CtcModel, new_tokens: AdapterTokens, written: Sequence[str], *, extends: bool) -> None:
        self._model, self._new_tokens, self._written, self._extends = model, new_tokens, written, extends
        self._bank: AdapterBank | None = None

    @property
    def adapters(self) -> AdapterBank | None:
        """Of languages, for transcripts; another may be put here at any time, and is moved to the model's device."""
        return self._bank

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None:
        if bank is not None:
            if any(parameter.device != self._model.device for parameter in bank.parameters()):
                bank = bank.to(self._model.device)
            self._new_tokens.learn(bank)
        self._bank = bank

    def prefix(self, request: Request) -> tuple[int, int]:
        """See `Request.prefix`. One that `check` has let pass is never refused, should its adapter be taken away."""
        return request.prefix(self._model.vocabulary, self._new_tokens.codes, self._written)

    def encode(
        self, heard: Sequence[np.ndarray], requests: Sequence[Request], lower: Halfway | None = None
    ) -> EncodedBatch:
        """Frames of samples `(n,)` each, and what they say of the language.

        A model that says the language first says it once: then all frames have the same posterior.

        Args:
            heard: samples at 16 kHz of each part.
            requests: of each.
            lower: what layers that a label model shares have made of the one part that there is. An adapter changes
                what lower layers say: with one they are computed again.
        """
        samples = np.zeros((len(heard), max(map(len, heard))), np.float32)
        for row, array in zip(samples, heard, strict=True):
            row[: len(array)] = array
        lengths = torch.tensor([len(array) for array in heard], device=self._model.device)
        features = self._model.features(torch.from_numpy(samples).to(lengths.device), lengths)
        return self.encode_features(*features, requests, lower=lower)

    @torch.inference_mode()
    def encode_features(
        self,
        x: Tensor,
        lengths: Tensor,
        requests: Sequence[Request],
        *,
        subsampled: bool = False,
        lower: Halfway | None = None,
    ) -> EncodedBatch:
        """Of log-mel `(batch, T, bins)`, or of what convolutions have made of it; see `encode`.

        Where the language is not named and what is heard has an adapter, it is heard once more with that.
        """
        model, bank = self._model, self._bank
        prefix = torch.tensor([self.prefix(request) for request in requests], device=x.device)

        def heard(wanted: Sequence[Mapping[str, float]]) -> EncodedBatch:
            tap = None if bank is None else bank.tap(wanted)
            if lower is not None and tap is None:
                counts = model.subsampling.output_lengths(lengths)
                encoded = model.behind(lower.x[:, : int(counts.max())], counts, prefix)
            else:
                encoded = model.encode(x, lengths, prefix, subsampled=subsampled, adapters=tap)
            return batch_of(model, encoded, prefix)

        wanted = named = [request.named for request in requests]
        found = heard(named)
        if bank is not None:
            wanted = [named[row] or self._heard(found, row, request, bank) for row, request in enumerate(requests)]
            found = found if wanted == named else heard(wanted)._replace(evidence=found.evidence)
        return found._replace(extensions=tuple(self.extension(bank, shares) for shares in wanted))

    def extension(self, bank: AdapterBank | None, wanted: Mapping[str, float]) -> Extension | None:
        """What can be written besides the base's tokens where adapters are at work by these weights."""
        return self._new_tokens.at_work(bank, wanted) if self._extends else None

    def _heard(self, batch: EncodedBatch, row: int, request: Request, bank: AdapterBank) -> dict[str, float]:
        """Posteriors of languages that have adapters, if it is likely to be one of them."""
        own, codes = batch.select(row)[1], self._model.vocabulary.languages
        if request.to is not None or own is None or not len(own):
            return {}
        likely = posterior_among(own.mean(dim=0), codes, request.languages).tolist()
        shares = {code: p for code, p in zip(codes, likely, strict=True) if p >= POSSIBLE}
        return shares if sum(shares.get(code, 0.0) for code in bank.codes) >= _ADAPTED else {}
