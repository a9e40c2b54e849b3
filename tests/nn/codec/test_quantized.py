"""What all quantisers have in common."""

import torch

from speech.nn.codec.gfsq import Gfsq, GfsqConfig
from speech.nn.codec.quantized import Quantizer


def test_quantisers_say_how_many_codes_they_give_of_how_many():
    quantizer: Quantizer = Gfsq(12, GfsqConfig(groups=3, levels=[4, 3]))
    found = quantizer(torch.randn(2, 40, 12))
    assert found.codes.shape == (2, quantizer.codebooks, 40) == (2, 3, 40)
    assert int(found.codes.max()) < quantizer.codebook_size == 12
    assert found.loss.shape == ()
