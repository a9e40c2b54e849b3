"""Addresses, piece by piece."""

import pytest

from speech.tts.text_front_end.normalise import normalise


def test_each_piece_has_its_place():
    text = "At http://a.org/x1!"
    assert [(word.text, text[word.source_start : word.source_end]) for word in normalise(text, "eng").words] == [
        ("At", "At"),
        ("a", "http://a"),
        ("dot", "."),
        ("org", "org"),
        ("slash", "/"),
        ("x", "x"),
        ("one", "1"),
    ]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("end.The next", "end.The next"),
        ("a.b", "a.b"),
        ("report.pdf", "report dot pdf"),
        ("(www.a.com)", "(w w w dot a dot com)"),
        ("a_b@c-d.org.", "a underscore b at c dash d dot org."),
        ("https://", "https:"),
        ("x.com/½", "x dot com slash one half"),
    ],
)
def test_only_addresses_are_spelled(written, spoken):
    assert normalise(written, "eng").text == spoken
