"""Encodes parts with full context in CTC's encoder, with language adapters if there are any."""

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
from speech.recognize.request import LabelLanguages, Request
from speech.recognize.spoken_languages import POSSIBLE

_ADAPTED = 0.5
"""Minimum total probability of adapted languages for a part to be encoded with their adapters."""


class PartEncoder:
    """Encodes batches of parts.

    Args:
        model: the CTC model.
        new_tokens: registry of adapter tokens.
        extends: whether the decoder can write adapter tokens.
        label: languages of the label decoder.
    """

    def __init__(self, model: CtcModel, new_tokens: AdapterTokens, label: LabelLanguages, *, extends: bool) -> None:
        self._model, self._new_tokens, self._label, self._extends = model, new_tokens, label, extends
        self._bank: AdapterBank | None = None

    @property
    def adapters(self) -> AdapterBank | None:
        """Language adapters, used for transcripts. May be replaced at any time; a new bank is moved to the model's
        device."""
        return self._bank

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None:
        if bank is not None:
            if any(parameter.device != self._model.device for parameter in bank.parameters()):
                bank = bank.to(self._model.device)
            self._new_tokens.learn(bank)
        self._bank = bank

    def prefix(self, request: Request) -> tuple[int, int]:
        """See `Request.prefix`. A request that passed `check` stays valid even if its adapter is removed."""
        return request.prefix(self._model.vocabulary, self._new_tokens.codes, self._label)

    def encode(
        self, heard: Sequence[np.ndarray], requests: Sequence[Request], lower: Halfway | None = None
    ) -> EncodedBatch:
        """Encode samples `(n,)` of each part, and compute language evidence.

        A model that emits the language token first has one posterior for the whole part: all frames then share it.

        Args:
            heard: samples of each part, at 16 kHz.
            requests: one per part.
            lower: output of the encoder layers shared with a label model, if there is a single part. With an adapter
                it is recomputed, since adapters change the lower layers.
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
        """Encode log-mel features `(batch, T, bins)`, or their subsampled frames; see `encode`.

        If no language is named and the detected one has an adapter, the part is encoded again with that adapter.
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
        """Adapter tokens available under these adapter weights; None if there are none."""
        return self._new_tokens.at_work(bank, wanted) if self._extends else None

    def _heard(self, batch: EncodedBatch, row: int, request: Request, bank: AdapterBank) -> dict[str, float]:
        """Posteriors of the likely languages, if adapted languages are likely enough; otherwise empty."""
        own, codes = batch.select(row)[1], self._model.vocabulary.languages
        if request.to is not None or own is None or not len(own):
            return {}
        likely = posterior_among(own.mean(dim=0), codes, request.languages).tolist()
        shares = {code: p for code, p in zip(codes, likely, strict=True) if p >= POSSIBLE}
        return shares if sum(shares.get(code, 0.0) for code in bank.codes) >= _ADAPTED else {}
