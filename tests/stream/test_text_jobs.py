from speech.stream.text_jobs import DirectTexts, TextJob, TextPlace, run_job
from speech.transcript import Word
from speech.translate.toxicity import ToxicWords
from tests.text_translators import Failing, Leaving, Tagging


def job(text: str = "We are all here. And so are they.", **changed) -> TextJob:
    words = tuple(Word(word, float(n), n + 0.5, 1.0, "eng") for n, word in enumerate(text.split()))
    given = {"source": "eng", "target": "fra", "complete": True, "append": False, "plain": False, "owner": "me"}
    return TextJob(place=TextPlace(segment=0, start_s=0.0, heard_s=9.0), part=0, words=words, **{**given, **changed})


class Broken(Tagging):
    def translate(self, texts, source, target):
        raise ZeroDivisionError(texts)


def test_a_text_is_translated_sentence_by_sentence():
    asked = job()
    assert asked.texts == ["We are all here.", "And so are they."]
    run_job(Tagging(), asked)
    assert asked.written == ["fra-We fra-are fra-all fra-here.", "fra-And fra-so fra-are fra-they."]
    assert asked.error is None


def test_listed_words_that_the_translator_adds_are_left_out_if_it_can():
    words = ToxicWords({"fra": ["here"]})
    for translator, first in ((Leaving(), "fra-We fra-are fra-all 1"), (Tagging(), "fra-We fra-are fra-all fra-here.")):
        asked = job(toxic_words=words)
        run_job(translator, asked)
        assert asked.written == [first, "fra-And fra-so fra-are fra-they."]
        assert asked.added == ("here",)


def test_an_error_becomes_the_result():
    refused, broken = job(), job()
    run_job(Failing(), refused)
    assert "is out of order" in str(refused.error)
    run_job(Broken(), broken)
    assert "the text translator failed" in str(broken.error)
    assert "here" not in str(broken.error)


def test_one_text_of_a_session_and_target_is_translated_at_a_time():
    assert job(complete=True).key == job(complete=False).key
    assert len({job(owner=owner, target=target).key for owner in "ab" for target in ("fra", "ita")}) == 4


def test_on_the_same_thread_texts_are_translated_at_once():
    queue = DirectTexts(Tagging())
    jobs = [job(), job(target="ita")]
    queue.want(jobs)
    assert queue.ready
    assert queue.collect() == jobs
    assert all(one.written for one in jobs)
    assert not queue.ready
    assert queue.collect() == []
