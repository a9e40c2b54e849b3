"""`speech stream`: what it sends, and what it says of a score."""

import asyncio

import numpy as np
import pytest
import soundfile

from serve.microphone import paced
from serve.stream_command import _figures, read_reference
from speech.errors import FileError


def test_a_reference_is_a_text_or_the_lines_of_a_file(tmp_path):
    assert read_reference("der Hund") == ["der Hund"]
    (tmp_path / "text.txt").write_text("eins\n\n  \nzwei drei\n", "utf-8")
    assert read_reference(f"@{tmp_path / 'text.txt'}") == ["eins", "zwei drei"]
    with pytest.raises(FileError, match="none"):
        read_reference("@none")


def test_a_file_is_sent_in_blocks_of_a_tenth_of_a_second(tmp_path):
    samples = np.random.default_rng(0).integers(-3000, 3000, 4000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)

    async def sent() -> list[bytes]:
        return [block async for block in paced(str(tmp_path / "a.wav"), 0)]

    blocks = asyncio.run(sent())
    assert [len(block) for block in blocks] == [3200, 3200, 1600]
    assert b"".join(blocks) == samples.tobytes()


@pytest.mark.parametrize(("final", "shown"), [(False, "(3 of 9)"), (True, "(all of 9)")])
def test_a_score_is_one_line_of_the_rates_that_there_are(final, shown):
    rates = {name: {"rate": rate} for name, rate in (("wer", 0.25), ("cer", 0.125), ("mer", 0.5), ("pier", None))}
    score = {"so_far": rates | {"saer": 0.75}, "reference": {"units": 3, "of": 9}, "is_final": final}
    assert _figures(score) == f"WER 0.250  CER 0.125  MER 0.500  SAER 0.750  {shown}"
