"""Policies by name, as servers, files and scores have them."""

import pytest

from serve.protocols.option_messages import Translating
from speech.choices import PolicyName
from speech.errors import ConfigError
from speech.stream.options import TranslationOptions
from speech.stream.policies import POLICY_SETTINGS, translation_options
from speech.translate.align_att import AlignAtt
from speech.translate.hold_n import HoldN
from speech.translate.local_agreement import LocalAgreement
from speech.translate.wait_k import WaitK


@pytest.mark.parametrize(
    ("name", "settings", "options"),
    [
        ("align_att", {}, {"policy": AlignAtt()}),
        ("align_att", {"latency_ms": 800, "append": True}, {"policy": AlignAtt(margin_s=0.8), "append": True}),
        ("align_att", {"latency_ms": 0}, {"policy": AlignAtt(margin_s=0.0)}),
        ("local_agreement", {}, {"policy": LocalAgreement()}),
        ("local_agreement", {"latency_ms": 1000, "n": 3}, {"policy": LocalAgreement(n=3), "step_s": 1.0}),
        ("local_agreement", {"n": 1}, {"policy": LocalAgreement(n=2)}),
        ("hold_n", {}, {"policy": HoldN()}),
        ("hold_n", {"n": 0}, {"policy": HoldN(n=0)}),
        ("wait_k", {"n": 3}, {"policy": WaitK(k=3)}),
    ],
)
def test_a_policy_has_the_settings_that_are_given(name, settings, options):
    assert translation_options(PolicyName(name), **settings) == TranslationOptions(**options)


def test_complete_parts_need_no_options():
    assert translation_options(PolicyName.complete, append=True) is None


@pytest.mark.parametrize(("policy", "settings"), POLICY_SETTINGS.items())
def test_a_setting_of_another_policy_is_refused(policy, settings):
    for name in {"latency_ms", "n"} - set(settings):
        with pytest.raises(ConfigError, match=f"{name} is not an option of the policy {policy}"):
            translation_options(policy, **{name: 700})


def test_a_setting_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="drafts every"):
        translation_options(PolicyName.local_agreement, latency_ms=20_000)
    with pytest.raises(ConfigError, match="AlignAtt with a margin"):
        translation_options(PolicyName.align_att, latency_ms=-1)


def test_every_policy_can_be_named_to_a_server():
    for policy in POLICY_SETTINGS:
        assert Translating(policy=policy.value).policy == policy
