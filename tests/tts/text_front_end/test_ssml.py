"""The subset of SSML."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.errors import LanguageError, SpeechError, TextError
from speech.tts.text_front_end.segments import Pause, SpokenStretch, StretchEnd
from speech.tts.text_front_end.ssml import MOST_CHARACTERS, is_ssml, read_ssml


def said(document, language="eng"):
    return [one.seconds if isinstance(one, Pause) else one.spoken.text for one in read_ssml(document, language)]


def test_markup_is_told_from_text_by_its_beginning():
    assert is_ssml("\n <speak version='1.1'>One.")
    assert not is_ssml("He says <speak>.")


def test_text_is_cut_into_sentences_and_paragraphs():
    found = read_ssml("<speak>One. Two.<p>Three 3</p><s>Four. Four</s>Five</speak>", "eng")
    assert [(one.spoken.text, one.end) for one in found] == [
        ("One.", StretchEnd.sentence),
        ("Two.", StretchEnd.paragraph),
        ("Three three", StretchEnd.paragraph),
        ("Four. Four", StretchEnd.sentence),
        ("Five", StretchEnd.paragraph),
    ]


def test_a_break_is_a_pause_and_ends_no_sentence():
    document = '<speak>I<break time="250ms"/> am.<break/>You<break time="1.5s"/><break strength="none"/></speak>'
    found = read_ssml(document, "eng")
    assert said(document) == ["I", 0.25, "am.", 0.4, "You", 1.5, 0.0]
    assert [one.end for one in found if isinstance(one, SpokenStretch)] == [
        StretchEnd.none,
        StretchEnd.sentence,
        StretchEnd.paragraph,
    ]
    assert document[found[1].source_start : found[1].source_end] == '<break time="250ms"/>'


def test_places_are_those_of_the_document():
    document = "<speak>Ça &amp; 5&#x20AC;\r\n<sub alias='World Wide Web'>WWW</sub> <![CDATA[<b> & x7]]></speak>"
    words = [word for one in read_ssml(document, "eng") for word in one.spoken.words]
    assert [(word.text, document[word.source_start : word.source_end]) for word in words] == [
        ("Ça", "Ça"),
        ("and", "&amp;"),
        ("five", "5&#x20AC;"),
        ("euros", "5&#x20AC;"),
        ("World", "WWW"),
        ("Wide", "WWW"),
        ("Web", "WWW"),
        ("b", "b"),
        ("and", "&"),
        ("x", "x"),
        ("seven", "7"),
    ]


def test_languages_and_rates_hold_within_their_element():
    found = read_ssml(
        '<speak xml:lang="en-GB">A 1 <lang xml:lang="de">21 Hunde</lang> <prosody rate="slow">b '
        '<prosody rate="+20%">c</prosody></prosody> <prosody rate="2">d</prosody></speak>',
        "fra",
    )
    assert [(one.spoken.text, one.language, one.rate) for one in found] == [
        ("A one", "eng", 1.0),
        ("einundzwanzig Hunde", "deu", 1.0),
        ("b", "eng", 0.75),
        ("c", "eng", pytest.approx(0.9)),
        ("d", "eng", 2.0),
    ]


def test_phonemes_come_with_the_word_they_are_for():
    (found,) = read_ssml('<speak><phoneme alphabet="ipa" ph="təˈmeɪ.toʊ">tomato</phoneme></speak>', "eng")
    assert (found.spoken.text, found.phonemes) == ("tomato", "təˈmeɪ.toʊ")


SAY_AS = [
    ("eng", "cardinal", "", "1984", "one thousand nine hundred and eighty-four"),
    ("eng", "ordinal", "", "3", "third"),
    ("eng", "ordinal", "", "22nd", "twenty-second"),
    ("eng", "digits", "", "1984", "one nine eight four"),
    ("eng", "characters", "", "A1@", "A one at"),
    ("eng", "spell-out", "", "abc", "a b c"),
    ("eng", "date", "dmy", "4/7/2024", "July fourth, twenty twenty-four"),
    ("eng", "date", "", "4/7/2024", "April seventh, twenty twenty-four"),
    ("deu", "date", "", "4.7.2024", "vierter Juli zweitausendvierundzwanzig"),
    ("eng", "date", "my", "7-2024", "July twenty twenty-four"),
    ("eng", "date", "y", "1984", "nineteen eighty-four"),
    ("spa", "date", "md", "7/4", "cuatro de julio"),
    ("eng", "time", "", "2:30 pm", "two thirty PM"),
    ("fra", "time", "", "14h30", "quatorze heures trente"),
    ("eng", "telephone", "", "+1 555", "plus one, five five five"),
    ("pol", "cardinal", "", "21", "dwadzieścia jeden"),
    ("pol", "digits", "", "21", "dwa jeden"),
    ("fra", "ordinal", "", "1re", "première"),
]


@pytest.mark.parametrize(("language", "way", "order", "written", "spoken"), SAY_AS)
def test_text_is_said_as_it_is_asked(language, way, order, written, spoken):
    form = f' format="{order}"' if order else ""
    assert said(f'<speak>x<say-as interpret-as="{way}"{form}>{written}</say-as></speak>', language) == ["x", spoken]


ERRORS = [
    ("<speak>\n <foo/></speak>", r"line 2, column 2: <foo> is not known\. Known elements: speak, p, s"),
    ("<speak><p x='1'/></speak>", r"line 1, column 8: <p> has the attribute 'x'\. Known attributes: xml:lang"),
    ("<p>a</p>", "line 1, column 1: <p> is outside <speak>"),
    ("<speak><speak/></speak>", "<speak> is within <speak>"),
    ("<speak><s><p>a</p></s></speak>", "line 1, column 11: <p> is within <s>"),
    ("<speak><sub alias='a'><s>b</s></sub></speak>", "<s> is within <sub>"),
    ("<speak><break>a</break></speak>", "<break> has text"),
    ("<speak><break time='1h'/></speak>", r"line 1, column 8: time='1h', expected 0ms to 10s"),
    ("<speak><break time='11s'/></speak>", "expected 0ms to 10s"),
    ("<speak><break strength='x'/></speak>", "expected one of none, x-weak"),
    ("<speak><prosody rate='5'>a</prosody></speak>", r"rate='5' makes 5, expected 0\.5 to 2"),
    ("<speak><prosody>a</prosody></speak>", "<prosody> has no rate"),
    ("<speak><prosody rate='quick'>a</prosody></speak>", "rate='quick' is not known.*x-slow, slow"),
    ("<speak><say-as interpret-as='x'>a</say-as></speak>", "interpret-as='x', expected one of cardinal, ordinal"),
    ("<speak><say-as interpret-as='date'>a</say-as></speak>", r"line 1, column 37: 'a' was found, expected a date"),
    ("<speak><say-as interpret-as='date' format='dmy'>30.2.24</say-as></speak>", "is not a day of the calendar"),
    ("<speak><say-as interpret-as='date' format='ym'>1/2/24</say-as></speak>", "expected a date in the order ym"),
    ("<speak><say-as interpret-as='time'>25:00</say-as></speak>", "expected a time"),
    ("<speak><say-as interpret-as='digits'>a</say-as></speak>", "expected digits"),
    ("<speak><say-as interpret-as='cardinal'>a</say-as></speak>", "expected a number"),
    ("<speak><say-as interpret-as='ordinal'>a</say-as></speak>", "expected a whole"),
    ("<speak><say-as interpret-as='telephone'>a</say-as></speak>", "expected a telephone"),
    ("<speak><say-as interpret-as='characters'>☃</say-as></speak>", "has no name"),
    ("<speak><say-as interpret-as='cardinal'></say-as></speak>", "has no text"),
    ("<speak><phoneme ph='a' alphabet='x-sampa'>b</phoneme></speak>", "expected one of ipa"),
    ("<speak>\n<a", "line 2, column 1: is not XML: unclosed token"),
    ("<speak>&nbsp;</speak>", "line 1, column 8: is not XML: undefined entity"),
    ("", "line 1, column 1: is not XML: no element found"),
    ("<speak>a</speak>b", "is not XML"),
    (
        '<!DOCTYPE s [<!ENTITY a "b">]><speak>&a;</speak>',
        "line 1, column 13: document types and entities are not allowed",
    ),
    ("<speak>" * 40, "<speak> is within <speak>"),
    ("<speak>" + "<lang xml:lang='de'>" * 40, "more than 32 elements"),
    ("<speak>\ud800</speak>", "line 1, column 8: is half a surrogate pair"),
]


@pytest.mark.parametrize(("document", "message"), ERRORS)
def test_errors_name_the_place_and_what_is_allowed(document, message):
    with pytest.raises(TextError, match=message):
        read_ssml(document, "eng")


def test_long_documents_are_refused_before_they_are_parsed():
    with pytest.raises(TextError, match=f"has {MOST_CHARACTERS + 1} characters, at most {MOST_CHARACTERS}"):
        read_ssml("<" * (MOST_CHARACTERS + 1), "eng")


def test_entities_cannot_grow():
    bomb = '<!DOCTYPE x [<!ENTITY a "' + "a" * 1000 + '"><!ENTITY b "' + "&a;" * 1000 + '">]><speak>&b;</speak>'
    with pytest.raises(TextError, match="document types and entities are not allowed"):
        read_ssml(bomb, "eng")


def test_other_errors_name_the_place_too():
    with pytest.raises(LanguageError, match=r"line 1, column 8: 'xx-YY' is not a known language"):
        read_ssml('<speak><lang xml:lang="xx-YY">a</lang></speak>', "eng")
    with pytest.raises(LanguageError, match=r"line 2, column 3: only plain numbers can be said in Polish, not '14:30'"):
        read_ssml('<speak xml:lang="pl">\no 14:30</speak>', "eng")
    with pytest.raises(TextError, match=r"line 1, column \d+: time is not known in Polish"):
        read_ssml('<speak xml:lang="pl"><say-as interpret-as="time">14:30</say-as></speak>', "eng")


PARTS = [
    "<speak>",
    "</speak>",
    "<p>",
    "</p>",
    "<s>",
    "</s>",
    "<break/>",
    "text 5. ",
    "More &lt; ",
    "<sub alias='x'>",
    "</sub>",
    "<lang xml:lang='de'>",
    "</lang>",
    "é😀",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<say-as interpret-as='date'>",
    "</say-as>",
    "\r\n",
]


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=12))
def test_any_markup_is_read_or_refused_with_a_place(parts):
    document = "<speak>" + "".join(parts) + "</speak>"
    try:
        found = read_ssml(document, "eng")
    except SpeechError as error:
        place, found = error.where, []
    else:
        place = "none is needed"
    assert place is not None
    for one in found:
        if isinstance(one, SpokenStretch):
            assert all(0 <= word.source_start < word.source_end <= len(document) for word in one.spoken.words)
