"""Which instructions a processor has."""

import pytest

from speech.nn.cpu.instructions import AVX2, AVX_VNNI, VNNI, available, best, instructions
from tests.skips import NO_TILES

pytestmark = pytest.mark.skipif(instructions() is None, reason=NO_TILES)


def test_the_best_of_a_processor_is_taken():
    plain = {"avx2", "fma", "sse4.2"}
    assert best(plain) == (AVX2,)
    assert best(plain | {"avxvnni"}) == (AVX_VNNI, AVX2)
    assert best(plain | {"avx512f", "avx512bw"}) == (AVX2,)
    assert best(plain | {"avx512f", "avx512bw", "avx512vnni"}) == (VNNI, AVX2)
    assert best({"avx2"}) == best({"neon"}) == ()
    assert instructions() == available()[0]
