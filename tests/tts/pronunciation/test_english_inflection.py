"""Regular English forms sound as their stems with the ending that follows from the last phoneme."""

from __future__ import annotations

import pytest

from speech.tts.pronunciation.english_inflection import inflected, with_ed, with_ing, with_s

STEMS = {
    "cat": "kˈæt", "dog": "dˈɔɡ", "bush": "bˈʊʃ", "city": "sˈɪTi", "bake": "bˈAk", "plan": "plˈæn", "want": "wˈɔnt",
    "wait": "wˈAt", "add": "ˈæd", "play": "plˈA", "carry": "kˈɛɹi", "panic": "pˈænɪk", "start": "stˈɑɹt",
    "agree": "əɡɹˈi", "fax": "fˈæks", "live": "", "cough": "kˈɔf", "path": "pˈæθ", "hop": "hˈɑp", "hope": "hˈOp",
    "sing": "sˈɪŋ", "singe": "sˈɪnʤ", "visit": "vˈɪzət", "whip": "wˈɪp",
}  # fmt: skip


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("cats", "kˈæts"), ("dogs", "dˈɔɡz"), ("bushes", "bˈʊʃᵻz"), ("cities", "sˈɪTiz"), ("paths", "pˈæθs"),
        ("dog's", "dˈɔɡz"), ("cat's", "kˈæts"), ("fax's", "fˈæksᵻz"), ("faxes", "fˈæksᵻz"), ("plays", "plˈAz"),
        ("baked", "bˈAkt"), ("planned", "plˈænd"), ("wanted", "wˈɔntᵻd"), ("waited", "wˈATᵻd"), ("added", "ˈædᵻd"),
        ("played", "plˈAd"), ("carried", "kˈɛɹid"), ("agreed", "əɡɹˈid"), ("coughed", "kˈɔft"), ("started", "stˈɑɹTᵻd"),
        ("baking", "bˈAkɪŋ"), ("planning", "plˈænɪŋ"), ("waiting", "wˈATɪŋ"), ("panicking", "pˈænɪkɪŋ"),
        ("wanting", "wˈɔntɪŋ"), ("carrying", "kˈɛɹiɪŋ"), ("hoping", "hˈOpɪŋ"), ("hopping", "hˈɑpɪŋ"),
        ("hoped", "hˈOpt"), ("singing", "sˈɪŋɪŋ"), ("visiting", "vˈɪzəTɪŋ"), ("whipped", "wˈɪpt"),
    ],
)  # fmt: skip
def test_forms_sound_as_their_stems_and_endings(word, said):
    assert inflected(word, STEMS.get) == said


@pytest.mark.parametrize(
    "word", ["cat", "catss", "cats'", "xs", "bed", "ring", "cated's", "catses", "doged", "s", "'s"]
)
def test_what_is_no_form_of_a_known_word_is_unknown(word):
    found = inflected(word, {key: said for key, said in STEMS.items() if key not in ("cat", "dog")}.get)
    assert found is None


def test_forms_of_words_without_phonemes_have_none():
    assert [inflected(word, STEMS.get) for word in ("lives", "lived", "living", "live's")] == [""] * 4


def test_endings_follow_the_last_phoneme():
    assert [with_s(stem) for stem in ("p", "b", "ʧ", "i")] == ["ps", "bz", "ʧᵻz", "iz"]
    assert [with_ed(stem) for stem in ("t", "it", "d", "ʧ", "n")] == ["tᵻd", "iTᵻd", "dᵻd", "ʧt", "nd"]
    assert [with_ing(stem) for stem in ("t", "it", "nt", "ʤ")] == ["tɪŋ", "iTɪŋ", "ntɪŋ", "ʤɪŋ"]
