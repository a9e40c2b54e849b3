"""Policies of simultaneous translation by name, with the settings that users give them."""

from __future__ import annotations

from dataclasses import replace

from speech.choices import PolicyName
from speech.errors import ConfigError
from speech.stream.options import TranslationOptions
from speech.translate.align_att import AlignAtt
from speech.translate.emma import Emma
from speech.translate.hold_n import HoldN
from speech.translate.local_agreement import LocalAgreement
from speech.translate.wait_k import WaitK

POLICY_SETTINGS: dict[PolicyName, tuple[str, ...]] = {
    PolicyName.complete: (),
    PolicyName.align_att: ("latency_ms",),
    PolicyName.local_agreement: ("latency_ms", "n"),
    PolicyName.hold_n: ("n",),
    PolicyName.wait_k: ("n",),
    PolicyName.emma: ("threshold",),
}
"""The settings that each policy has."""


def translation_options(
    policy: PolicyName,
    *,
    latency_ms: int | None = None,
    n: int | None = None,
    threshold: float | None = None,
    append: bool = False,
) -> TranslationOptions | None:
    """Options of a policy; None: translate complete parts.

    Args:
        policy: its name.
        latency_ms: of align_att the end of the audio that is not trusted, of local_agreement the interval of drafts.
        n: of local_agreement the drafts that agree, of hold_n the tokens held back, of wait_k the words behind.
        threshold: of emma the least probability of writing.
        append: see `TranslationOptions`.

    Raises:
        ConfigError: if the policy does not have a setting that is given, or its value is out of range.
    """
    for name, value in (("latency_ms", latency_ms), ("n", n), ("threshold", threshold)):
        if value is not None and name not in POLICY_SETTINGS[policy]:
            raise ConfigError(f"{name} is not an option of the policy {policy}")
    usual = TranslationOptions(append=append)
    latency_s = None if latency_ms is None else latency_ms / 1000
    match policy:
        case PolicyName.align_att:
            return usual if latency_s is None else replace(usual, policy=AlignAtt(margin_s=latency_s))
        case PolicyName.local_agreement:
            agreement = LocalAgreement() if n is None else LocalAgreement(n=max(n, 2))
            return replace(usual, policy=agreement, step_s=usual.step_s if latency_s is None else latency_s)
        case PolicyName.hold_n:
            return replace(usual, policy=HoldN() if n is None else HoldN(n=n))
        case PolicyName.wait_k:
            return replace(usual, policy=WaitK() if n is None else WaitK(k=n))
        case PolicyName.emma:
            return replace(usual, policy=Emma() if threshold is None else Emma(threshold=threshold))
        case PolicyName.complete:
            return None
