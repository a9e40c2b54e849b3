"""Which utterances say the same in two languages, and what their texts teach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from speech.data.code_switching.parallel import Bitext, parallel_pairs, parallel_texts
from speech.data.code_switching.word_alignment import TranslationTable
from speech.data.manifest import Utterance


def an_utterance(name: str, language: str, text: str, parallel: str | None = None, **more: object) -> Utterance:
    return Utterance(
        id=name,
        audio=Path(f"/none/{name}.wav"),
        duration_s=1.0,
        language=language,
        text=text,
        parallel_id=parallel,
        **more,  # type: ignore[arg-type]
    )


CORPUS = [
    an_utterance("e1", "eng", "Good day", "day"),
    an_utterance("d1", "deu", "Guten Tag", "day"),
    an_utterance("d2", "deu", "Schönen Tag", "day"),
    an_utterance("f1", "fra", "Bonne journée", "day"),
    an_utterance("e2", "eng", "Stop", "stop"),
    an_utterance("d3", "deu", "Halt an", "stop"),
    an_utterance("e3", "eng", "Nobody says this otherwise"),
    an_utterance("d4", "deu", "Das sagt niemand anders"),
]


def ids(utterances: list[Utterance]) -> dict[tuple[str, str], set[tuple[str, str]]]:
    return {key: {(a.id, b.id) for a, b in pairs} for key, pairs in parallel_pairs(utterances).items()}


def test_utterances_of_one_parallel_id_are_pairs_of_each_two_languages() -> None:
    assert ids(CORPUS) == {
        ("deu", "eng"): {("d1", "e1"), ("d2", "e1")},
        ("deu", "fra"): {("d1", "f1"), ("d2", "f1")},
        ("eng", "fra"): {("e1", "f1")},
    }


def test_an_utterance_of_one_word_has_no_place_to_switch_and_is_left_out() -> None:
    assert ("d3", "e2") not in ids(CORPUS)["deu", "eng"]
    chinese = an_utterance("c1", "cmn", "你好", "day")
    assert ids([chinese, CORPUS[0]]) == {("cmn", "eng"): {("c1", "e1")}}


def test_the_order_of_pairs_does_not_depend_on_that_of_the_manifest() -> None:
    assert parallel_pairs(CORPUS) == parallel_pairs(CORPUS[::-1])
    many = [an_utterance(f"{code}{n}", code, "a b", str(n)) for n in range(20) for code in ("eng", "deu")]
    [pairs] = parallel_pairs(many).values()
    assert [one.id for one, _ in pairs] != sorted(one.id for one, _ in pairs)


def test_texts_are_those_of_parallel_utterances_and_of_translations_whichever_language_is_spoken() -> None:
    translated = [
        an_utterance("e4", "eng", "Thank you", translations={"deu": "Danke schön"}),
        an_utterance("f2", "fra", "Merci", translations={"deu": "Danke", "eng": "Thanks"}),
        an_utterance("f3", "fra", "Rien", translations={"spa": "Nada"}),
    ]
    assert parallel_texts([*CORPUS, *translated], ("deu", "eng")) == {
        ("Guten Tag", "Good day"),
        ("Schönen Tag", "Good day"),
        ("Halt an", "Stop"),
        ("Danke schön", "Thank you"),
        ("Danke", "Thanks"),
    }
    assert parallel_texts(CORPUS, ("ita", "rus")) == set()


def test_words_that_look_alike_are_taken_for_each_other_where_places_speak_against_it() -> None:
    texts = {
        ("now conference begins here", "ahora comienza conferencia aqui"),
        ("that conference ended", "esa termino conferencia"),
    }
    by_place = TranslationTable.fit([(one.split(), other.split()) for one, other in sorted(texts)])
    assert by_place.forward["conference"]["conferencia"] < 0.1
    bitext = Bitext(texts, ("eng", "spa"))
    assert bitext.lexicon.forward["conference"]["conferencia"] > 0.5


def test_a_bitext_of_nothing_aligns_by_place_only() -> None:
    parallel = Bitext(set(), ("eng", "deu")).parallel("Good day.", "Guten Tag!")
    assert parallel.words == (("good", "day"), ("guten", "tag"))
    assert parallel.links == {(0, 0), (1, 1)}


def test_texts_make_the_judges() -> None:
    bitext = Bitext({("We saw Anna in the old house", "Wir sahen Anna in dem alten Haus")}, ("eng", "deu"))
    assert bitext.judges._names == {"anna"}
    assert {"we", "in", "the"} <= bitext.judges._function_words["eng"]
    assert "house" not in bitext.judges._function_words["eng"]


def test_utterances_of_the_same_language_are_no_pair() -> None:
    assert parallel_pairs([CORPUS[1], replace(CORPUS[2], id="d9")]) == {}
