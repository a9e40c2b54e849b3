"""CTC decoders by user options: greedy, a beam with n-grams and lexicon, or a graph."""

from __future__ import annotations

from pathlib import Path

from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.compiled_beam import prepare
from speech.decode.ctc.greedy import greedy
from speech.decode.ctc.prefix_beam import KenLm
from speech.decode.graph.graph import GraphDecoder
from speech.decode.lm.lexicon import Lexicon
from speech.decode.lm.ngram import TokenNgram
from speech.errors import ConfigError
from speech.models.checkpoint import LANGUAGE_MODEL, LEXICON
from speech.recognize.token_decoder import Decoder
from speech.text.lines import read_lines
from speech.text.tokenizers.sentencepiece import Tokenizer

_BEAM = 8


def check_search(beam: int | None, language_model: str | Path | None, graph: str | Path | None) -> None:
    """Check that the options are compatible.

    Raises:
        ConfigError: if they are not.
    """
    if graph is not None and (beam is not None or language_model is not None):
        raise ConfigError("a graph takes the place of beam and language model", fix="Leave them out.")
    if beam is not None and (beam < 1 or (language_model is not None and beam == 1)):
        raise ConfigError(f"beam {beam}", fix="Give 1, or more where a language model is to help, e.g. 8.")


def open_decoder(
    folder: Path,
    tokenizer: Tokenizer,
    *,
    beam: int | None = None,
    language_model: str | Path | None = None,
    graph: str | Path | None = None,
) -> Decoder:
    """Return the decoder of a model in `folder`; files not named are taken from the folder. See
    `Recognizer.from_pretrained`.

    Raises:
        ConfigError: if a file cannot be used, or its package is missing.
        FileError: if a file cannot be read.
        ModelError: if a file is damaged or made for other tokens.
    """
    if graph is not None:
        return _graph_decoder(Path(graph), tokenizer)
    lexicon: Path | None = None
    if language_model is None and (folder / LANGUAGE_MODEL).is_file():
        language_model = folder / LANGUAGE_MODEL
        lexicon = folder / LEXICON if (folder / LEXICON).is_file() else None
    if beam is None:
        beam = _BEAM if language_model is not None else 1
    return _beam_decoder(beam, language_model, lexicon, tokenizer) if beam > 1 else greedy


def _beam_decoder(
    beam: int, language_model: str | Path | None, lexicon: Path | None, tokenizer: Tokenizer
) -> BeamDecoder:
    if language_model is None:
        return BeamDecoder(beam=beam)
    path = Path(language_model)
    if path.suffix != ".safetensors":
        return BeamDecoder(beam=beam, scorer=KenLm(path, tokenizer.piece))
    prepare()
    ngram = TokenNgram.load(path)
    words = None if lexicon is None else Lexicon.load(lexicon)
    return BeamDecoder(
        beam=beam,
        scorer=ngram,
        lexicon=words,
        pieces=tokenizer.vocabulary.tokens,
        weight=ngram.weight,
        bonus=ngram.bonus,
    )


def _graph_decoder(path: Path, tokenizer: Tokenizer) -> GraphDecoder:
    if path.suffix.lower() == ".arpa":
        return GraphDecoder.from_arpa(tokenizer, path)
    return GraphDecoder.from_lexicon(tokenizer, filter(str.strip, read_lines(path)))
