"""What a client wants of a stream, as what the second pass reads each part for."""

from speech.decode.bias.phrases import Phrase
from speech.recognize.request import Request
from speech.stream.options import StreamOptions


def test_the_transcript_is_asked_for_first_and_alone_has_phrases_and_several_texts():
    options = StreamOptions(
        languages=("deu", "eng"), targets=("spa", "fra"), phrases=(Phrase("Ada"),), plain=True, nbest=3
    )
    assert options.requests() == [
        Request(("deu", "eng"), phrases=(Phrase("Ada"),), plain=True, nbest=3),
        Request(("deu", "eng"), "spa", plain=True),
        Request(("deu", "eng"), "fra", plain=True),
    ]


def test_without_any_wish_it_is_a_transcript_in_any_language():
    assert StreamOptions().requests() == [Request()]
