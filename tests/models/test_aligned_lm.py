"""What a prompt says if nothing else is given."""

from speech.models.aligned_lm import AlignedPrompt, SymbolFrames


def test_a_prompt_is_a_whole_text_at_the_usual_rate_in_any_voice():
    found = AlignedPrompt([3, 4])
    assert found.ended
    assert (found.rate, found.frames, found.language, found.speaker, found.voice) == (1.0, None, None, None, None)


def test_frames_of_symbols_are_two_columns():
    first, counts = SymbolFrames((0, 2), (2, 1))
    assert (first[1], counts[1]) == (2, 1)
