"""Text translators of random weights, converted by CTranslate2 as published ones are: what they write is nonsense, but
the same each time."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sentencepiece
import torch
from ctranslate2.converters import TransformersConverter
from transformers import M2M100Config, M2M100ForConditionalGeneration, MarianConfig, MarianMTModel, PreTrainedModel

SENTENCES = [
    "the dog runs through the house",
    "the cat sleeps under the table",
    "a bird sings in the old tree",
    "we drink coffee in the morning",
    "le chien court dans la maison",
    "le chat dort sous la table",
    "un oiseau chante dans le vieil arbre",
    "nous buvons du café le matin",
    "el perro corre por la casa",
    "el gato duerme debajo de la mesa",
]


def save_marian(folder: Path, targets: Sequence[str] = ()) -> Path:
    """A model of the layout of OPUS-MT, in a folder that is not there yet; `targets` have tokens, as `>>fra<<`."""
    model = _pieces()
    tokens = ["</s>", "<unk>", *_own(model), *(f">>{name}<<" for name in targets), "<pad>"]
    config = MarianConfig(
        **_sizes(len(tokens)), pad_token_id=len(tokens) - 1, decoder_start_token_id=len(tokens) - 1, eos_token_id=0,
        forced_eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(1)
    _convert(folder, MarianMTModel(config), tokens, {"source.spm": model, "target.spm": model})
    return folder


def save_multilingual(folder: Path, languages: Sequence[str] = ("eng_Latn", "fra_Latn", "spa_Latn")) -> Path:
    """A model of the layout of NLLB, or of M2M100 with languages such as `__fr__`; the folder is not there yet."""
    model = _pieces()
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *_own(model), *languages]
    config = M2M100Config(**_sizes(len(tokens)), decoder_start_token_id=2, forced_eos_token_id=2)
    torch.manual_seed(2)
    _convert(folder, M2M100ForConditionalGeneration(config), tokens, {"sentencepiece.bpe.model": model})
    return folder


def _convert(folder: Path, model: PreTrainedModel, tokens: Sequence[str], beside: dict[str, bytes]) -> None:
    original = folder.with_name(f"{folder.name}-original")
    model.save_pretrained(original)
    for name, data in beside.items():
        (original / name).write_bytes(data)
    _Converter(str(original), tokens, [*beside]).convert(str(folder))


class _Converter(TransformersConverter):
    """Takes the vocabulary as it is given, without a tokenizer of transformers."""

    def __init__(self, original: str, tokens: Sequence[str], copied: list[str]) -> None:
        super().__init__(original, copy_files=copied)
        self._tokens = [*tokens]

    def load_tokenizer(self, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(
            get_vocab=lambda: {token: number for number, token in enumerate(self._tokens)},
            convert_ids_to_tokens=self._tokens.__getitem__,
            bos_token="<s>", eos_token="</s>", unk_token="<unk>", unk_token_id=self._tokens.index("<unk>"),
            special_tokens_map={}, num_madeup_words=0,
        )  # fmt: skip


def _pieces() -> bytes:
    """A SentencePiece model of `SENTENCES`."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, vocab_size=110, hard_vocab_limit=False, minloglevel=2
    )
    return model.getvalue()


def _own(model: bytes) -> list[str]:
    """Its pieces without `<unk>`, `<s>` and `</s>`."""
    trained = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [trained.id_to_piece(number) for number in range(3, trained.get_piece_size())]


def _sizes(vocabulary: int) -> dict[str, Any]:
    return {  # a wide spread: the text depends on the source, and the best one is clearly the best
        "vocab_size": vocabulary, "d_model": 16, "max_position_embeddings": 600, "init_std": 1.0, "encoder_layers": 1,
        "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
    }  # fmt: skip


def vocabulary_of(folder: Path) -> list[str]:
    """Tokens of a converted model."""
    tokens: list[str] = json.loads((folder / "shared_vocabulary.json").read_text("utf-8"))
    return tokens
