"""Models for runs whose result nobody looks at."""

from speech.models.owsm_ctc import FrontEnd, OwsmCtcConfig
from speech.nn.encoder.whisper import WhisperEncoderConfig


def smallest_ctc() -> OwsmCtcConfig:
    """One layer, and nothing that is fed back."""
    return OwsmCtcConfig(
        encoder=WhisperEncoderConfig(dim=16, layers=1, heads=2, hidden=16, period=600),
        front_end=FrontEnd.whisper,
        inter_layers=[],
        inter_transcript=0,
        target_prefix=False,
        prompt_dim=8,
    )
