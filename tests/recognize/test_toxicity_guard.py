"""A translation that adds toxicity is decoded again without it; one that translates what is said stays."""

import json
from pathlib import Path

import pytest

from speech import Recognizer
from speech.batch.job import Job
from speech.decode.label.banned import BannedSequences
from speech.decode.label.joint import JointConfig
from speech.decode.label.search import LabelHypothesis
from speech.errors import ConfigError, DataError, FileError
from speech.recognize.label_pass import LabelPass
from speech.recognize.request import Request
from speech.recognize.toxicity_guard import ToxicityGuard
from speech.transcript import Toxicity
from speech.translate.toxicity import ToxicWords
from tests.cli.calling import run
from tests.conftest import CLIPS
from tests.recognize.label_texts import SAMPLES, says, text_of
from tests.tiny_whisper import tiny_label_tokenizer

TOKENIZER = tiny_label_tokenizer()
FRENCH = CLIPS.parent / "ast_fr_priv-callpending.ogg"
"""Somebody speaks of a caller, "un appelant", whom the embedded model takes for an airplane in English."""


def hypothesis(text: str, score: float = -1.0) -> LabelHypothesis:
    return LabelHypothesis(tuple(TOKENIZER.encode(text)), score, True)


class Texts:
    """A search among given texts, from likely to unlikely, three at a time."""

    def __init__(self, *texts: str, said: str = "ein Mensch") -> None:
        self.texts, self.said = [hypothesis(text, -1.0 - n) for n, text in enumerate(texts)], said
        self.prompts: list[list[int]] = []
        self.bans: list[BannedSequences | None] = []

    def __call__(self, prompt, banned):
        self.prompts.append(prompt)
        self.bans.append(banned)
        if prompt == TOKENIZER.prompt("deu"):
            return [hypothesis(self.said)]
        assert prompt == TOKENIZER.prompt("deu", target="eng")
        return [one for one in self.texts if not any(self.banned(banned, one.tokens))][:3]

    @staticmethod
    def banned(banned, tokens):
        return (token in banned.after(tokens[:n]) for n, token in enumerate(tokens))


def guard(*english: str, **lists: list[str]) -> ToxicityGuard:
    return ToxicityGuard(ToxicWords({"eng": english, **lists}), TOKENIZER)


def text(found):
    return TOKENIZER.decode(found.tokens)


def test_a_translation_without_listed_words_costs_nothing():
    search = Texts("You pest.")
    best = hypothesis("You person, with pests.")
    assert guard("pest", deu=["Mensch"])(best, ("deu", "eng"), search) == (best, None)
    assert search.prompts == []


def test_an_added_word_is_replaced_in_every_case_and_behind_any_sign():
    best = hypothesis("You pest.")
    search = Texts("You pest.", "You Pest.", "PEST", 'A"pest"', "You person.", "You human.")
    found, toxicity = guard("pest")(best, ("deu", "eng"), search)
    assert (text(found), toxicity) == ("You person.", Toxicity(("pest",), removed=True))
    assert search.prompts == [TOKENIZER.prompt("deu", target="eng")]


@pytest.mark.parametrize(("said", "heard"), [("du Schädling", ()), ("du Mensch", ("du mensch", "du schädling"))])
def test_what_the_decoder_or_ctc_hears_is_translated(said, heard):
    best, search = hypothesis("You pest."), Texts("You person.", said=said)
    assert guard("pest", deu=["Schädling"])(best, ("deu", "eng"), search, heard) == (best, None)
    assert search.prompts == [TOKENIZER.prompt("deu")]
    assert text(guard("pest", deu=["Ungeziefer"])(best, ("deu", "eng"), search, heard)[0]) == "You person."
    assert text(guard("pest", fra=["Schädling"])(best, ("deu", "eng"), search, heard)[0]) == "You person."


def test_other_entries_and_spellings_of_later_texts_are_banned_too():
    texts = ("You bad-egg.", "You bad  egg.", "You pEsT.", "You rat.", "You louse.", "You RAt.", "You person.")
    search = Texts(*texts)
    found, toxicity = guard("pest", "bad egg", "rat", "louse")(hypothesis("You pest."), ("deu", "eng"), search)
    assert (text(found), toxicity) == ("You person.", Toxicity(("pest",), removed=True))
    assert len(search.bans) == 3


def test_where_every_text_has_listed_words_the_translation_stays():
    best = hypothesis("You bad egg.")
    search = Texts(*(f"{'very ' * n}bad, {'.' * n}egg" for n in range(20)))
    assert guard("bad egg", "very")(best, ("deu", "eng"), search) == (best, Toxicity(("bad egg",), removed=False))


def test_characters_of_several_bytes_are_banned_whole():
    search = Texts("Ah, é pést!", "é pest")
    assert text(guard("pést")(hypothesis("é pÉst"), ("deu", "eng"), search)[0]) == "é pest"


def test_lists_without_english_guard_nothing():
    with pytest.raises(ConfigError, match=r"without a list of English. Add eng\.txt"):
        ToxicityGuard(ToxicWords({"deu": ["Schädling"]}), TOKENIZER)
    assert ToxicityGuard.of(None, TOKENIZER) is None


# The model that ships


def lists(folder: Path, **words: str) -> Path:
    folder.mkdir()
    for code, entries in words.items():
        (folder / f"{code}.txt").write_text(entries, "utf-8")
    return folder


def test_a_word_that_the_embedded_model_adds_is_removed(recognizer, tmp_path):
    usual = recognizer.transcribe(FRENCH, to="eng")
    assert "airplane" in usual.text
    assert usual.toxicity is None
    guarded = Recognizer.from_pretrained(toxic_words=lists(tmp_path / "lists", eng="airplane\n# ship\nlocomotive\n"))
    found = guarded.transcribe(FRENCH, to="eng")
    assert found.toxicity == Toxicity(("airplane",), removed=True)
    assert "airplane" not in found.text.lower()
    assert len(found.words) >= 4
    assert found.to_dict()["toxicity"] == {"found": ["airplane"], "removed": True}
    assert guarded.transcribe(FRENCH) == recognizer.transcribe(FRENCH)  # transcripts are left alone
    other = CLIPS.parent / "ast_ru_vm-next.ogg"
    assert guarded.transcribe(other, to="eng") == recognizer.transcribe(other, to="eng")


def test_where_the_speech_has_a_listed_word_the_translation_stays(recognizer, tmp_path):
    folder = lists(tmp_path / "lists", eng="airplane", fra="Appelant")
    assert Recognizer.from_pretrained(toxic_words=folder).transcribe(FRENCH, to="eng") == recognizer.transcribe(
        FRENCH, to="eng"
    )


def test_the_command_prints_what_was_removed(tmp_path):
    options = ["--task", "st", "--to", "eng", "--toxic-words", lists(tmp_path / "lists", eng="airplane")]
    done = run("transcribe", FRENCH, *options, "--format", "json")
    assert done.exit_code == 0
    record = json.loads(done.stdout)[0]
    assert record["toxicity"] == {"found": ["airplane"], "removed": True}
    assert "airplane" not in record["text"].lower()


def test_lists_are_part_of_a_job(tmp_path):
    folder = lists(tmp_path / "lists", eng="airplane")
    identities = [Job(model="embedded", language="auto", to="eng").identity("txt")]
    for words in ("airplane", "locomotive"):
        (folder / "eng.txt").write_text(words, "utf-8")
        identities.append(Job(model="embedded", language="auto", to="eng", toxic_words=folder).identity("txt"))
    assert len(set(identities)) == 3


def test_the_command_refuses_lists_for_transcripts_and_faulty_ones(tmp_path):
    folder = lists(tmp_path / "lists", eng="airplane\n?")
    with pytest.raises(ConfigError, match="--toxic-words applies to translations"):
        run("transcribe", FRENCH, "--toxic-words", folder)
    options = ["--task", "st", "--to", "eng", "--model", tmp_path / "none", "--toxic-words"]
    for more in ([], ["--engine", "local", "--output-dir", tmp_path / "out"]):
        with pytest.raises(DataError, match=r"eng\.txt:2: '\?' has no letters or digits"):
            run("transcribe", FRENCH, *options, folder, *more)
        with pytest.raises(FileError, match="lost: cannot be read: no such file"):
            run("transcribe", FRENCH, *options, tmp_path / "lost", *more)


@pytest.mark.parametrize(
    ("language", "code", "entry", "added"),
    [
        ("deu", "deu", "Hund", False), ("deu", "deu", "Katze", True), ("deu", "spa", "Hund", True),
        ("spa", "spa", "Hund", True), ("spa", "spa", "pest", False),
    ],
)  # fmt: skip
def test_a_translation_is_guarded_by_what_ctc_hears_in_its_languages_and_by_what_the_decoder_writes(
    whisper, heard, monkeypatch, language, code, entry, added
):
    """CTC does not know Spanish; the decoder writes the same in both tasks, whatever is banned."""
    tokenizer = tiny_label_tokenizer()
    guard = ToxicityGuard(ToxicWords({"eng": ["pest"], code: [entry]}), tokenizer)
    label = LabelPass(whisper, tokenizer, JointConfig(learnt=["deu"]), guard=guard)
    says(label, monkeypatch, "A pest.")
    part, judged = label.listen(SAMPLES), heard("der hund")
    written = label.read(part, Request((language,), "eng"), {}, judged).written
    assert text_of(written) == "A pest."
    assert written.toxicity == (Toxicity(("pest",), removed=False) if added else None)
    assert label.read(part, Request((language,)), {}, judged).written.toxicity is None
