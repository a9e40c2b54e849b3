"""What a client asks of a session becomes options of its stream, or is refused whole."""

import pytest

from serve import protocol as wire
from serve.options import Refused, changed
from speech.stream.session import StreamOptions

KNOWN = ("deu", "eng", "spa")


def after(*messages: wire.Options) -> StreamOptions:
    options = StreamOptions()
    for message in messages:
        options = changed(options, message, KNOWN, ("eng",))
    return options


def test_only_what_a_message_names_is_changed():
    first = after(wire.Start(languages=["en", "German", "eng"], targets=["English"]))
    assert (first.languages, first.targets, first.interim) == (("eng", "deu"), ("eng",), True)
    second = changed(first, wire.Update(interim="off"), KNOWN, ("eng",))
    assert (second.languages, second.targets, second.interim) == (("eng", "deu"), ("eng",), False)
    assert second.endpoint == first.endpoint


def test_rules_of_endpoints_do_not_depend_on_those_before():
    usual = wire.Update(endpointing=wire.Endpointing())
    by_client = wire.Update(endpointing=wire.Endpointing(mode="client", max_utterance_ms=30_000))
    short = wire.Update(endpointing=wire.Endpointing(silence_ms=100, max_utterance_ms=1000))
    assert after(by_client, usual).endpoint == after(short, usual).endpoint == after(usual).endpoint
    assert after(usual).endpoint == StreamOptions().endpoint


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (wire.Start(languages=["eng", "fra"]), "languages"),
        (wire.Update(languages=["Klingon"]), "languages"),
        (wire.Update(targets=["deu"]), "targets"),
    ],
)
def test_what_the_model_does_not_know_is_refused(message, param):
    with pytest.raises(Refused) as caught:
        after(message)
    assert (caught.value.code, caught.value.param) == ("unknown_language", param)
    assert caught.value.close == wire.CloseCode.bad_config


def test_a_segment_can_end_by_its_words_where_there_are_partial_results():
    rules = wire.Endpointing(blank_ms=1500)
    assert changed(StreamOptions(), wire.Update(endpointing=rules), KNOWN, ()).endpoint.blank_s == 1.5
    by_client = wire.Endpointing(blank_ms=1500, mode="client")
    assert changed(StreamOptions(), wire.Update(endpointing=by_client), KNOWN, ()).endpoint.blank_s is None
    with pytest.raises(Refused, match="partial"):
        changed(StreamOptions(), wire.Update(endpointing=rules, interim="off"), KNOWN, ())
