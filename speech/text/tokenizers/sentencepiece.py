"""SentencePiece (Kudo and Richardson 2018) over a `Vocabulary`."""

from __future__ import annotations

import copy
import io
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import sentencepiece

from speech.errors import ConfigError, DataError, ModelError
from speech.files import write_atomically
from speech.text.vocabulary import WORD_START, Vocabulary


class Tokenizer:
    """Text to token ids of a vocabulary, and back.

    Args:
        model: bytes of a SentencePiece model.
        vocabulary: contains every piece of the model that text can be encoded to.
    """

    def __init__(self, model: bytes, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self._processor = _processor(model)
        self._ids = {piece: vocabulary.piece_start + n for n, piece in enumerate(vocabulary.pieces)}
        self._added: dict[str, int] = {}
        self._longest = 0
        self._number_added()

    @classmethod
    def from_pieces(
        cls, model: bytes, *, languages: Sequence[str], st_targets: Sequence[str], sos_eos: bool = False
    ) -> Tokenizer:
        """Build a tokenizer whose vocabulary consists of the model's pieces; special tokens remain special tokens."""
        processor = _processor(model)
        ids = range(processor.get_piece_size())
        special = Vocabulary.build(languages, st_targets, [], sos_eos).index
        pieces = [
            piece
            for piece in (
                processor.id_to_piece(i) for i in ids if not (processor.is_control(i) or processor.is_unknown(i))
            )
            if piece not in special
        ]
        return cls(model, Vocabulary.build(languages, st_targets, pieces, sos_eos))

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        vocab_size: int,
        languages: Sequence[str],
        st_targets: Sequence[str] = (),
        coverage: float = 0.9998,
        characters: bool = False,
        sos_eos: bool = False,
    ) -> Tokenizer:
        """Train a unigram model of about `vocab_size` pieces, or fewer if the texts do not yield that many.

        Args:
            texts: training texts, normalised as the model's output.
            vocab_size: number of pieces.
            languages: ISO 639-3 codes of the vocabulary.
            st_targets: translation targets of the vocabulary.
            coverage: share of characters that get a piece of their own.
            characters: train a character model: every piece is one character, or the start of a word.
            sos_eos: see `Vocabulary`.

        Raises:
            DataError: if all texts are blank, or have more distinct characters than `vocab_size` allows.
        """
        buffer = io.BytesIO()
        written = filter(str.strip, texts)
        first = next(written, None)
        if first is None:
            raise DataError("no tokenizer without texts", fix="Give at least one text that is not blank.")
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=itertools.chain([first], written),
                model_writer=buffer,
                vocab_size=vocab_size,
                hard_vocab_limit=False,
                model_type="char" if characters else "unigram",
                character_coverage=coverage,
                normalization_rule_name="nmt_nfkc",
                shuffle_input_sentence=False,
                num_threads=1,
                bos_id=-1,
                eos_id=-1,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise DataError(f"no tokenizer of {vocab_size} pieces: {error}", fix="Allow more pieces.") from error
        return cls.from_pieces(buffer.getvalue(), languages=languages, st_targets=st_targets, sos_eos=sos_eos)

    def extended(self, tokens: Sequence[str]) -> Tokenizer:
        """Return a tokenizer that also encodes `tokens`, where this one gives `<unk>`; their ids follow all others.

        Raises:
            ConfigError: if a token is empty.
        """
        if not all(tokens):
            raise ConfigError("an empty token", fix="Leave it out.")
        other = copy.copy(self)
        other.vocabulary = replace(self.vocabulary, added=(*self.vocabulary.added, *tokens))
        other._number_added()
        return other

    def encode(self, text: str) -> list[int]:
        """Encode a text to token ids. Unknown characters become `<unk>`; text never becomes a special token.

        Added tokens are used only where the model's pieces do not apply, longest match first.
        """
        found: list[int] = []
        for piece in self._processor.encode(text, out_type=str):
            known = self._ids.get(piece)
            if known is not None:
                found.append(known)
            else:
                found += self._cut(piece)
        return found

    def _cut(self, piece: str) -> list[int]:
        """Encode a run of unknown characters with added tokens, and one `<unk>` for each stretch between them."""
        found: list[int] = []
        place, missed = 0, False
        while place < len(piece):
            lengths = range(min(self._longest, len(piece) - place), 0, -1)
            size = next((size for size in lengths if piece[place : place + size] in self._added), 0)
            if size:
                found.append(self._added[piece[place : place + size]])
            elif not missed:
                found.append(self.vocabulary.unk)
            missed, place = not size, place + max(size, 1)
        return found

    def _number_added(self) -> None:
        added = self.vocabulary.added
        first = len(self.vocabulary) - len(added)
        self._added = {token: first + n for n, token in reversed(list(enumerate(added)))}
        self._longest = max(map(len, added), default=0)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`; special tokens are dropped."""
        return "".join(self.piece(i) for i in ids if not self.vocabulary.is_special(i)).replace(WORD_START, " ").strip()

    def piece(self, token: int) -> str:
        """The piece of a token id; a leading `WORD_START` marks the start of a word."""
        return self.vocabulary.tokens[token]

    def save(self, path: Path) -> None:
        """Write the SentencePiece model to a file, atomically.

        Raises:
            FileError: if the file cannot be written.
        """
        write_atomically(path, self.model)


def _processor(model: bytes) -> sentencepiece.SentencePieceProcessor:
    if not model:
        raise ModelError("is empty", where="tokenizer.model")
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except (RuntimeError, TypeError) as error:
        raise ModelError("is not a SentencePiece model", where="tokenizer.model") from error
