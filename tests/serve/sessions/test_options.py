"""What a client asks of a session becomes options of its stream, or is refused whole."""

from dataclasses import replace

import pytest

from serve.config import ServeConfig
from serve.protocols import wire
from serve.sessions.options import Facts, Refused, prepare
from speech.decode.bias.phrases import Phrase
from speech.errors import ConfigError
from speech.recognize.request import Request
from speech.stream.options import TranslationOptions
from speech.stream.session import StreamOptions
from speech.translate.align_att import AlignAtt
from speech.translate.emma import Emma
from speech.translate.hold_n import HoldN
from speech.translate.local_agreement import LocalAgreement
from speech.translate.wait_k import WaitK

KNOWN = ("deu", "eng", "spa")


def check(request: Request) -> None:
    """A model that writes Latin letters only."""
    for text, _ in request.phrases:
        if not text.isascii():
            raise ConfigError("cannot be written", where=text)


FACTS = Facts(
    config=ServeConfig(),
    model=wire.ModelInfo(id="", sha256=""),
    languages=KNOWN,
    targets=("eng", "spa"),
    drafts_into=("eng",),
    check=check,
    server="",
)


def after(*messages: wire.Options) -> StreamOptions:
    return after_by(FACTS, *messages)


def after_by(facts: Facts, *messages: wire.Options) -> StreamOptions:
    options = StreamOptions()
    for message in messages:
        options = prepare(facts, options, message).options
    return options


def test_only_what_a_message_names_is_changed():
    first = after(wire.StartMessage(languages=["en", "German", "eng"], targets=["English"]))
    assert (first.languages, first.targets, first.interim) == (("eng", "deu"), ("eng",), True)
    second = prepare(FACTS, first, wire.Update(interim="off")).options
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
        (wire.StartMessage(languages=["eng", "fra"]), "languages"),
        (wire.Update(languages=["Klingon"]), "languages"),
        (wire.Update(targets=["deu"]), "targets"),
    ],
)
def test_what_the_model_does_not_know_is_refused(message, param):
    with pytest.raises(Refused) as caught:
        after(message)
    assert (caught.value.code, caught.value.param) == ("unknown_language", param)
    assert caught.value.close == wire.CloseCode.bad_config


def test_phrases_are_taken_once_each_and_refused_where_they_cannot_be_had():
    options = after(wire.StartMessage(phrases=["Ada", "new york^2", "Ada"]), wire.Update(interim="off"))
    assert options.phrases == (Phrase("Ada"), Phrase("new york", 2.0))
    assert [request.phrases for request in after(wire.StartMessage(phrases=["Ada"], targets=["eng"])).requests()] == [
        (Phrase("Ada"),), (),
    ]  # fmt: skip
    assert after(wire.StartMessage(phrases=["Ada"]), wire.Update(phrases=[])).phrases == ()
    assert len(after(wire.StartMessage(phrases=[f"name {n}" for n in range(1000)])).phrases) == 1000
    for texts, said in (
        (["東京"], "東京: cannot be written"), (["Ada^much"], "'much' behind"),
        (["x"] * 1001, "1001 phrases"), (["x" * 20_001], "20001 letters"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=said) as caught:
            after(wire.StartMessage(phrases=texts))
        assert (caught.value.code, caught.value.param) == ("bad_config", "phrases")


def test_a_segment_can_end_by_its_words_where_there_are_partial_results():
    rules = wire.Endpointing(blank_ms=1500)
    assert prepare(FACTS, StreamOptions(), wire.Update(endpointing=rules)).options.endpoint.blank_s == 1.5
    by_client = wire.Endpointing(blank_ms=1500, mode="client")
    assert prepare(FACTS, StreamOptions(), wire.Update(endpointing=by_client)).options.endpoint.blank_s is None
    with pytest.raises(Refused, match="partial"):
        prepare(FACTS, StreamOptions(), wire.Update(endpointing=rules, interim="off"))


def test_texts_are_plain_or_several_as_was_said_last():
    options = after(wire.StartMessage(plain=True, nbest=3, targets=["eng"]), wire.Update(interim="off"))
    assert (options.plain, options.nbest) == (True, 3)
    assert [(one.plain, one.nbest) for one in options.requests()] == [(True, 3), (True, 1)]
    assert after(wire.StartMessage(plain=True, nbest=3), wire.Update(plain=False, nbest=1)) == StreamOptions()


@pytest.mark.parametrize(
    ("translation", "policy"),
    [
        (wire.Translating("align_att"), AlignAtt()),
        (wire.Translating("align_att", latency_ms=800), AlignAtt(margin_s=0.8)),
        (wire.Translating("local_agreement", n=3), LocalAgreement(n=3)),
        (wire.Translating("hold_n", n=6), HoldN(n=6)),
        (wire.Translating("wait_k", n=2), WaitK(k=2)),
    ],
)
def test_a_policy_is_what_was_asked_for(translation, policy):
    options = after(wire.StartMessage(targets=["eng"], translation=translation))
    assert options.translation == TranslationOptions(policy=policy)
    assert (
        after(wire.StartMessage(translation=translation), wire.Update(translation=wire.Translating())).translation
        is None
    )


def test_emma_is_offered_where_a_policy_was_trained_and_refused_elsewhere():
    trained = replace(FACTS, trained_policy=True)
    start = wire.StartMessage(targets=["eng"], translation=wire.Translating("emma", threshold=0.25))
    assert after_by(trained, start).translation == TranslationOptions(policy=Emma(threshold=0.25))
    usual = wire.StartMessage(translation=wire.Translating("emma"))
    assert after_by(trained, usual).translation == TranslationOptions(policy=Emma())
    for asked in (start, usual):
        with pytest.raises(
            Refused, match=r"no trained policy.*recipes/streaming_translation/train.py.*align_att"
        ) as no:
            after_by(FACTS, asked)
        assert (no.value.code, no.value.param) == ("bad_config", "translation")
    with pytest.raises(Refused, match="threshold is not an option of the policy hold_n"):
        after_by(trained, wire.StartMessage(translation=wire.Translating("hold_n", threshold=0.25)))
    assert "emma" in trained.policies
    assert "emma" not in FACTS.policies
    assert replace(trained, drafts_into=()).policies == ["complete"]


def test_agreement_compares_drafts_in_the_interval_asked_for():
    found = after(wire.StartMessage(translation=wire.Translating("local_agreement", latency_ms=1000, append=True)))
    assert found.translation == TranslationOptions(policy=LocalAgreement(), step_s=1.0, append=True)


def test_a_policy_for_targets_that_are_not_drafted_is_refused():
    with pytest.raises(Refused, match="writes into eng only") as caught:
        after(wire.StartMessage(targets=["spa"], translation=wire.Translating("align_att")))
    assert (caught.value.code, caught.value.param) == ("bad_config", "translation")
    assert after(wire.StartMessage(targets=["spa", "eng"], translation=wire.Translating("align_att"))).translation
