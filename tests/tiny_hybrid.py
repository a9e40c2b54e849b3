"""Both halves of a hybrid with random weights: what it writes is nonsense in Latin letters, but the same each time.

CTC knows German, English and Gaelic, the label decoder German, English and Spanish.
"""

from dataclasses import replace
from pathlib import Path

import torch

from speech.decode.label.joint import JointConfig
from speech.models.checkpoint import Checkpoint, LabelCheckpoint
from speech.models.hybrid import Hybrid, save_hybrid
from speech.models.owsm_ctc import OwsmCtc
from speech.models.whisper import Whisper
from speech.text.tokenizers.sentencepiece import Tokenizer
from tests.conftest import TEXTS, small_whisper
from tests.tiny_whisper import tiny_label_tokenizer, tiny_whisper

_POSITIONS = 200
WRITTEN = "abcdefghijklmnopqrstuvwxyz ABC,."


def letters_tokenizer() -> Tokenizer:
    """CTC's: a token is a letter, of those that the decoder writes."""
    texts = [text for text in [*TEXTS, "der hund lief"] if text.isascii()]
    return Tokenizer.train(texts, vocab_size=40, languages=["deu", "eng", "gla"], st_targets=["deu"], characters=True)


def latin_whisper() -> Whisper:
    """It writes `WRITTEN` alone, and mostly comes to an end."""
    model, tokenizer = tiny_whisper(), tiny_label_tokenizer()
    kept = {tokenizer.encode(letter)[0] for letter in WRITTEN}
    model.config.suppressed = sorted({*range(tokenizer.end + 2)} - kept - {tokenizer.end})
    model.config.suppressed_first = [*tokenizer.encode(" ,."), tokenizer.end]
    torch.manual_seed(2)
    model.config.decoder.positions = _POSITIONS
    model.decoder.positions = torch.nn.Parameter(2 * torch.randn(_POSITIONS, 32))  # it says another letter each time
    with torch.no_grad():
        model.decoder.embed.weight[tokenizer.encode(" ")[0]] *= 1.5
    return model


def save_tiny_hybrid(path: Path, joint: JointConfig, shared_layers: int = 0) -> None:
    torch.manual_seed(0)
    tokenizer, config = letters_tokenizer(), small_whisper()
    config = replace(config, encoder=replace(config.encoder, prefix_after=shared_layers))
    model, whisper = OwsmCtc(config, tokenizer.vocabulary).eval(), latin_whisper()
    if shared_layers:
        model.encoder.subsampling.load_state_dict(whisper.encoder.subsampling.state_dict())
    for mine, theirs in zip(model.encoder.layers[:shared_layers], whisper.encoder.layers, strict=False):
        mine.load_state_dict(theirs.state_dict())
    ctc = Checkpoint(model, tokenizer, {})
    label = LabelCheckpoint(whisper, tiny_label_tokenizer(), {})
    save_hybrid(path, Hybrid(ctc, label, joint), card="", label_card="")
