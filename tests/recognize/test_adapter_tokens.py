"""A language and letters that the base lacks come with an adapter, and change nothing for anybody else."""

import numpy as np
import pytest
import torch
from rapidfuzz.distance import Indel

from speech import Recognizer
from speech.decode.bias.phrases import Phrase
from speech.errors import ConfigError, LanguageError, SpeechError
from speech.events import TranscriptEvent
from speech.models.checkpoint import load_checkpoint
from speech.models.hub import EMBEDDED, locate
from speech.nn.adapters import Adapter, AdapterBank
from speech.nn.head_extension import near_rows, random_rows
from speech.recognize.adapter_tokens import AdapterTokens
from speech.recognize.offline import Cut, OfflineConfig
from speech.recognize.request import Request
from speech.recognize.windows import WindowConfig
from speech.stream.session import StreamOptions
from speech.text.near_letters import sounds
from speech.text.scripts import written_in
from tests.ctc_half import ctc_half
from tests.stream.test_adapted import ENGLISH, FRENCH, live, samples_of, strong, texts, with_and_without

GEORGIAN = tuple("აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ")


@pytest.fixture(scope="module")
def base():
    return load_checkpoint(locate(EMBEDDED))


def with_rows(rows, bias, tokens) -> Adapter:
    """It leaves frames as they are, and has rows."""
    adapter = Adapter((1,), rows.shape[1], 4, tokens)
    with torch.no_grad():
        adapter.rows.copy_(rows)
        adapter.rows_bias.copy_(bias)
    return adapter.requires_grad_(False)


@pytest.fixture(scope="module")
def georgian(base) -> Adapter:
    return with_rows(*near_rows(base.model.ctc, base.tokenizer.vocabulary, GEORGIAN), GEORGIAN)


@pytest.fixture(scope="module")
def clicking(base) -> Adapter:
    """It hears a click in place of many a vowel."""
    rows, bias = near_rows(base.model.ctc, base.tokenizer.vocabulary, ["ე"])
    return with_rows(rows, bias + 2, ("ǂ",))


@pytest.fixture(scope="module", params=[None, 1], ids=["search", "greedy"])
def recognizer(request) -> Recognizer:
    return Recognizer.from_pretrained(ctc_half(), beam=request.param, measured_targets=False)


@pytest.fixture
def bank(recognizer, georgian, clicking):
    recognizer.adapters = AdapterBank({"kat": georgian, "fra": clicking})
    yield recognizer.adapters
    recognizer.adapters = None


def test_a_language_that_only_an_adapter_knows_is_written_in_its_letters(recognizer, base, bank, georgian):
    found = recognizer.transcribe(ENGLISH, language="kat")
    drawn = random_rows(base.model.ctc, base.tokenizer.vocabulary, GEORGIAN, generator=torch.Generator().manual_seed(1))
    recognizer.adapters = AdapterBank({"kat": with_rows(*drawn, GEORGIAN)})
    at_random = recognizer.transcribe(ENGLISH, language="kat").text
    recognizer.adapters = None
    plain = sounds(recognizer.transcribe(ENGLISH, language="eng").text)
    assert found.language == "kat"
    assert found.language_probability == 1.0
    assert {word.language for word in found.words} == {"kat"}
    assert len(set(found.text) & set(GEORGIAN)) > 8
    assert written_in(found.text, ["kat"])
    near, far = (Indel.normalized_similarity(sounds(text), plain) for text in (found.text, at_random))
    assert near > max(far + 0.1, 0.5)


def test_without_its_adapter_it_is_not_known(recognizer, bank):
    for given in (None, bank.without("kat")):
        recognizer.adapters = given
        with pytest.raises(LanguageError, match="does not know the language 'kat'"):
            recognizer.transcribe(ENGLISH, language="kat")
        with pytest.raises(LanguageError, match="does not know"):
            recognizer.engine().open(StreamOptions(languages=("kat",)))


def test_it_is_not_told_from_others_nor_translated(recognizer, bank):
    for options in ({"language": "kat,eng"}, {"language": "eng,kat"}, {"language": "kat", "to": "eng"}):
        with pytest.raises(LanguageError, match=r"only an adapter knows 'kat'.*Name it alone"):
            recognizer.transcribe(ENGLISH, **options)


@pytest.mark.parametrize("language", ["named", "auto"])
def test_for_others_everything_stays_the_same_to_the_last_bit(recognizer, bank, language):
    for path, code in ((FRENCH, "fra"), (ENGLISH, "eng")):
        adapted, plain = with_and_without(recognizer, bank, path, code if language == "named" else "auto")
        assert (adapted == plain) == (code == "eng")
        assert adapted.language == code
        if code == "fra":
            assert "ǂ" in adapted.text


@pytest.mark.parametrize(("path", "languages"), [(ENGLISH, ("kat",)), (FRENCH, ()), (FRENCH, ("fra",))])
def test_live_finals_are_those_of_the_file_and_partials_have_its_letters(recognizer, bank, path, languages):
    samples = samples_of(path)
    file = recognizer.transcribe(samples, language=",".join(languages) or "auto").text
    events = live(recognizer.engine().open(StreamOptions(languages=languages)), samples)
    assert texts(events, final=True) == file
    shown = [event.text for event in events if isinstance(event, TranscriptEvent) and not event.is_final]
    if languages:
        assert shown
        assert all(written_in(text, languages) for text in shown)
        letters = set("".join(shown)) - {" "}
        assert letters & set(GEORGIAN) if languages == ("kat",) else "ǂ" in letters
    else:
        assert any("ǂ" in text for text in shown)


def test_live_streams_of_others_are_the_same_in_one_batch_with_new_tokens(recognizer, bank):
    def heard(engine, *given):
        sessions = [engine.open(StreamOptions(languages=codes)) for _, codes in given]
        found = [[] for _ in given]
        audio = [samples_of(path) for path, _ in given]
        for start in range(0, max(map(len, audio)), 4000):
            for session, samples in zip(sessions, audio, strict=True):
                session.push(samples[start : start + 4000])
            engine.run(sessions)
            for events, session in zip(found, sessions, strict=True):
                events += session.drain()
        for events, session in zip(found, sessions, strict=True):
            events += session.finish()
        return found

    others = [(ENGLISH, ("eng",)), (ENGLISH, ())]
    mixed = heard(recognizer.engine(), *others, (ENGLISH, ("kat",)), (FRENCH, ("fra",)))
    recognizer.adapters = None
    plain = heard(recognizer.engine(), *others, (ENGLISH, ("nld",)), (FRENCH, ("fra",)))
    assert [[e for e in events if isinstance(e, TranscriptEvent)] for events in mixed[:2]] == [
        [e for e in events if isinstance(e, TranscriptEvent)] for events in plain[:2]
    ]
    recognizer.adapters = bank
    for (path, codes), events in zip([(ENGLISH, ("kat",)), (FRENCH, ("fra",))], mixed[2:], strict=True):
        assert texts(events, final=True) == recognizer.transcribe(samples_of(path), language=codes[0]).text


def test_adapters_come_and_go_while_a_session_runs(recognizer, bank, georgian):
    samples = samples_of(ENGLISH)
    expected = recognizer.transcribe(samples, language="kat", phrases=(Phrase("ბა"),)).text
    engine = recognizer.engine()
    sessions = [engine.open(StreamOptions(languages=("kat",), phrases=(Phrase("ბა"),))) for _ in range(2)]
    for session in sessions:
        session.accept(samples[:20_000])
    recognizer.adapters = bank.without("kat")
    events = sessions[0].accept(samples[20_000:30_000])
    recognizer.adapters = AdapterBank({"kat": georgian})
    assert texts([*sessions[0].accept(samples[30_000:]), *sessions[0].finish()], final=True) == expected
    recognizer.adapters = None
    events = [*sessions[1].accept(samples[20_000:]), *sessions[1].finish()]
    assert not set(texts(events, final=True)) & set(GEORGIAN)


def test_what_was_heard_under_one_bank_is_read_under_the_next(recognizer, bank):
    second = recognizer._second_pass
    segment = next(iter(recognizer._reader.parts([samples_of(ENGLISH)])))
    request = Request(("kat",))
    heard = second.read([segment], [request])[0]
    words = second.words(heard, request)
    assert set("".join(word.text for word in words)) & set(GEORGIAN)
    recognizer.adapters = AdapterBank({"ell": strong_with(bank, ("ა", "ϟ"))})
    assert second.words(heard, request) == words


def strong_with(bank: AdapterBank, tokens) -> Adapter:
    dim = next(iter(bank.adapters.values())).dim
    return with_rows(torch.randn(len(tokens), dim), torch.zeros(len(tokens)), tokens)


def test_ids_are_given_once_and_for_good(tokenizer):
    def bank_of(**tokens) -> AdapterBank:
        return AdapterBank({code: Adapter((1,), 8, 2, own) for code, own in tokens.items()})

    new, size = AdapterTokens(tokenizer), len(tokenizer.vocabulary)
    first, second = bank_of(ell="αβ", deu=()), bank_of(rus="αж", ell="γβ")
    new.learn(first)
    assert new.codes == {"ell", "deu"}
    assert new.at_work(first, {"ell": 1.0}).ids == (size, size + 1)
    assert new.at_work(second, {"ell": 0.2, "rus": 0.5, "deu": 1.0}).ids == (size + 2, size + 3, size + 4, size + 1)
    assert new.at_work(first, {"ell": 1.0}).ids == (size, size + 1)
    assert [new.tokenizer.piece(size + n) for n in range(5)] == ["α", "β", "α", "ж", "γ"]
    for bank, wanted in ((None, {"ell": 1.0}), (first, {"deu": 1.0}), (first, {"ell": 0.0}), (bank_of(deu=()), {})):
        assert new.at_work(bank, wanted) is None
    own = new.at_work(second, {"ell": 1.0})
    assert [own.kept(token) for token in (0, size - 1, size, size + 1)] == [0, size - 1, size + 4, size + 1]
    assert own.forbidden({3}, ()) == {3}
    assert own.forbidden({3}, ("rus",)) == {3, size, size + 1}


def test_phrases_may_hold_its_letters_where_it_is_named(recognizer, bank):
    plain = recognizer.transcribe(ENGLISH, language="kat").text
    word = "ინტერ"
    found = recognizer.transcribe(ENGLISH, language="kat", phrases=(Phrase(word, 4.0),)).text
    assert word in found.split()
    assert word not in plain
    for code in ("auto", "eng"):
        with pytest.raises(ConfigError, match="characters that the model does not write"):
            recognizer.transcribe(ENGLISH, language=code, phrases=(Phrase(word),))
    assert recognizer.transcribe(FRENCH, language="auto", phrases=(Phrase("appel"),)).language == "fra"


def test_its_text_is_aligned_where_it_is_named(recognizer, bank):
    text = recognizer.transcribe(ENGLISH, language="kat").text
    found = recognizer.align(ENGLISH, text, language="kat")
    assert found.text == text
    assert found.language == "kat"
    starts = [word.start_s for word in found.words]
    assert starts == sorted(starts)
    assert starts[-1] > starts[0]
    with pytest.raises(SpeechError, match="does not write"):
        recognizer.align(ENGLISH, text, language="eng")
    assert recognizer.align(FRENCH, "appel", language="auto").text == "appel"


def test_files_cut_into_windows_have_them_too(recognizer, bank):
    config = OfflineConfig(cut=Cut.windows, window=WindowConfig(size_s=4.0, context_s=0.8))
    cut = Recognizer(recognizer.model, recognizer.tokenizer, config, recognizer._second_pass.decoder.tokens.decode)
    cut.adapters = bank
    found = cut.transcribe(np.tile(samples_of(ENGLISH), 3), language="kat").text
    assert written_in(found, ["kat"])
    assert len(found) > 20


def test_a_graph_says_what_it_holds_and_no_new_tokens(tmp_path, georgian):
    (tmp_path / "words.txt").write_text("priority\ncallers\n", "utf-8")
    bound = Recognizer.from_pretrained(graph=tmp_path / "words.txt")
    plain = bound.transcribe(FRENCH, language="fra").text
    bound.adapters = AdapterBank({"kat": georgian, "fra": strong_with(AdapterBank({"kat": georgian}), ("ǂ",))})
    assert bound.transcribe(FRENCH, language="fra").text == plain
    assert not set(bound.transcribe(ENGLISH, language="kat").text) & set(GEORGIAN)


def test_its_layers_are_at_work_too(recognizer, bank, georgian):
    plain = recognizer.transcribe(ENGLISH, language="kat").text
    loud = strong((1, 2), georgian.dim)
    both = Adapter(loud.layers, loud.dim, loud.width, GEORGIAN)
    both.load_state_dict({**loud.state_dict(), "rows": georgian.rows, "rows_bias": georgian.rows_bias})
    recognizer.adapters = AdapterBank({"kat": both.requires_grad_(False)})
    assert recognizer.transcribe(ENGLISH, language="kat").text != plain
