"""`recipes/owsm_ctc/language_model.py`: a checkpoint gets an n-gram model and words that the recogniser then uses."""

import json
import runpy
import shutil
from pathlib import Path

from speech import Recognizer
from speech.decode.lm.lexicon import Lexicon
from speech.decode.lm.ngram import TokenNgram

SCRIPT = Path(__file__).parents[2] / "recipes" / "owsm_ctc" / "language_model.py"


def test_a_checkpoint_gets_a_language_model_and_says_so(checkpoint, wave, tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(checkpoint, folder)
    shutil.copy(wave, tmp_path / "a.wav")
    for part, texts in (("train", ["the cat sat", "der hund"]), ("dev", ["the cat"])):
        rows = [
            {"id": f"{part}{n}", "audio": "a.wav", "duration": 1.5, "lang": "eng", "text": text, "source": "s"}
            | {"licence": "CC0", "translations": {"spa": "el gato duerme"}}
            for n, text in enumerate(texts)
        ]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    main = runpy.run_path(str(SCRIPT))["main"]
    for _ in range(2):  # a second time replaces the first
        main(folder, tmp_path, general=0, lexicon=0, prune=0.0)
    assert capsys.readouterr().out.count("weight 0.30") == 2
    tokenizer = Recognizer.from_pretrained(str(folder)).tokenizer
    ngram = TokenNgram.load(folder / "lm.safetensors")
    state, seen, unseen = ngram.start(), 0.0, 0.0
    for known, other in zip(tokenizer.encode("the cat sat"), tokenizer.encode("tac eht tas"), strict=False):
        unseen += ngram.score(state, other)[1]
        state, gain = ngram.score(state, known)
        seen += gain
    assert seen > unseen
    words = Lexicon.load(folder / "lexicon.safetensors")
    english = words.words["eng"][0]
    assert len(english) == 5  # the cat sat der hund
    assert words.covers(["eng", "spa"])
    assert (folder / "README.md").read_text().count("## Language model") == 1
