"""An aligned speech language model of random weights that is built and run in milliseconds."""

from typing import Any

import torch
from torch import Tensor

from speech.models.aligned_ar import AlignedAr, AlignedConfig
from speech.models.aligned_lm import AlignedPrompt, AlignedVoice
from speech.nn.speech_lm.codebook_heads import FastConfig
from speech.nn.speech_lm.text_encoder import TextEncoderConfig
from speech.nn.speech_lm.transformer import TransformerConfig
from speech.text.speech_vocabulary import SpeechVocabulary, TextUnit
from tests.tiny_dual_ar import FAST, LANGUAGES, SLOW

TEXT: dict[str, Any] = {"dim": 8}
ALIGNED: dict[str, Any] = {
    "codebooks": 3, "codebook_size": 12, "frame_s": 0.01, "positions": 160, "max_frames": 96, "places": 4,
}  # fmt: skip
VOCABULARY = SpeechVocabulary.of(TextUnit.symbols, LANGUAGES, ["abcdefgh ."], 0)


def tiny_aligned_config(
    *,
    fast: dict[str, Any] | None = None,
    slow: dict[str, Any] | None = None,
    text: dict[str, Any] | None = None,
    **more: Any,
) -> AlignedConfig:
    inner = {
        "slow": TransformerConfig(**SLOW | (slow or {})),
        "fast": FastConfig(**FAST | (fast or {})),
        "text": TextEncoderConfig(**TEXT | (text or {})),
    }
    return AlignedConfig(**ALIGNED | more, **inner)


def tiny_aligned_ar(
    config: AlignedConfig | None = None, vocabulary: SpeechVocabulary = VOCABULARY, seed: int = 0
) -> AlignedAr:
    """With weights that are large enough for its scores to differ, and symbols of some frames."""
    config = config or tiny_aligned_config()
    torch.manual_seed(seed)
    model = config.build(vocabulary.layout).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "durations.hidden" not in name:
                parameter.mul_(2.5)
        model.embed.start.normal_()
        model.text.durations.output.bias.fill_(1.3)
    return model


def some_codes(model: AlignedAr, frames: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, model.codebook_size, (model.codebooks, frames), generator=generator)


def aligned_prompt(model: AlignedAr, text: str, *, voice: str = "", seed: int = 0, **more: Any) -> AlignedPrompt:
    """A request to say `text`, in the voice of somebody who said `voice` with two frames a symbol."""
    size, said = model.config.speaker_dim, VOCABULARY.symbol_tokens(voice)
    heard = AlignedVoice(
        said, [2] * len(said), some_codes(model, 2 * len(said), seed), VOCABULARY.language_token("deu")
    )
    usual: dict[str, Any] = {
        "symbols": VOCABULARY.symbol_tokens(text),
        "language": VOCABULARY.language_token("eng"),
        "speaker": torch.randn(size, generator=torch.Generator().manual_seed(seed)) if size else None,
        "voice": heard if voice else None,
    }
    return AlignedPrompt(**usual | more)
