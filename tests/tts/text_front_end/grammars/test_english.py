"""English: what is written and how it is said."""

import pytest

from speech.tts.text_front_end.grammars.english import English
from speech.tts.text_front_end.normalise import normalise

CASES = [
    ("0 and 1", "zero and one"),
    ("I have 21 dogs.", "I have twenty-one dogs."),
    ("100 or 101", "one hundred or one hundred and one"),
    ("1,234 people", "one thousand two hundred and thirty-four people"),
    ("1,000,000 stars", "one million stars"),
    ("It is -5 outside.", "It is minus five outside."),
    ("Pi is 3.14.", "Pi is three point one four."),
    ("0.05", "zero point zero five"),
    ("12.5 million people", "twelve point five million people"),
    ("the 1st, 2nd and 3rd", "the first, second and third"),
    ("the 21st of 112th", "the twenty-first of one hundred and twelfth"),
    ("50% of 1.5%", "fifty percent of one point five percent"),
    ("in 1984", "in nineteen eighty-four"),
    ("in 1905", "in nineteen oh five"),
    ("since 2005", "since two thousand and five"),
    ("by 2024.", "by twenty twenty-four."),
    ("in 1900", "in nineteen hundred"),
    ("the 1990s and the 80s", "the nineteen nineties and the eighties"),
    ("1990-1995", "nineteen ninety to nineteen ninety-five"),
    ("2024-07-04", "July fourth, twenty twenty-four"),
    ("on July 4, 1776", "on July fourth, seventeen seventy-six"),
    ("on 7/4/2024", "on July fourth, twenty twenty-four"),
    ("on 25/12/2020", "on December twenty-fifth, twenty twenty"),
    ("4 July 2024", "the fourth of July, twenty twenty-four"),
    ("the 4th of July", "the fourth of July"),
    ("March 3rd", "March third"),
    ("May 2024", "May twenty twenty-four"),
    ("Sept. 11", "September eleventh"),
    ("at 14:30", "at fourteen thirty"),
    ("at 9:05", "at nine oh five"),
    ("at 2 pm", "at two PM"),
    ("at 2:30 p.m. today", "at two thirty PM today"),
    ("It ended at 5 p.m. They left.", "It ended at five PM. They left."),
    ("at 7:00", "at seven o'clock"),
    ("$5", "five dollars"),
    ("$1", "one dollar"),
    ("$5.50", "five dollars and fifty cents"),
    ("$0.99", "ninety-nine cents"),
    ("$1,234.01", "one thousand two hundred and thirty-four dollars and one cent"),
    ("$3.5 million", "three point five million dollars"),
    ("£2.50", "two pounds and fifty pence"),
    ("20 EUR", "twenty euros"),
    ("€10-15", "ten to fifteen euros"),
    ("-$20", "minus twenty dollars"),
    ("60 km/h", "sixty kilometers per hour"),
    ("1 kg", "one kilogram"),
    ("20 °C", "twenty degrees Celsius"),
    ("5-10 km", "five to ten kilometers"),
    ("16 GB", "sixteen gigabytes"),
    ("100 m²", "one hundred square meters"),
    ("1/2 cup", "one half cup"),
    ("3/4", "three quarters"),
    ("2/3 of it", "two thirds of it"),
    ("1½ cups", "one and a half cups"),
    ("Dr. Smith and Mrs. Jones", "Doctor Smith and Missis Jones"),
    ("St. Mary lives on Baker St.", "Saint Mary lives on Baker Street."),
    ("fruit, e.g. apples, etc.", "fruit, for example apples, et cetera."),
    ("No. 5 on p. 12", "number five on page twelve"),
    ("Henry VIII and Louis XIV", "Henry the eighth and Louis the fourteenth"),
    ("World War II, Chapter IV", "World War two, Chapter four"),
    ("Elizabeth I was queen.", "Elizabeth the first was queen."),
    ("Call 555-123-4567.", "Call five five five, one two three, four five six seven."),
    ("+44 20 7946", "plus four four, two zero, seven nine four six"),
    ("Mail jo.doe@example.com now", "Mail jo dot doe at example dot com now"),
    ("https://www.example.org/a-b", "w w w dot example dot org slash a dash b"),
    ("an MP3 of COVID-19", "an MP three of COVID nineteen"),
    ("agent 007", "agent zero zero seven"),
    ("version 1.2.3", "version one dot two dot three"),
    ("Q&A, 2+2=4", "Q and A, two plus two equals four"),
    ("#5 and #fun", "number five and hashtag fun"),
    ("Nice 😀 day", "Nice day"),
    ("and/or", "and or"),
    ("$20-30 billion", "twenty to thirty billion dollars"),
    (".5", "point five"),
    ("£5m", "five million pounds"),
    ("Mr Smith and Dr Jones", "Mister Smith and Doctor Jones"),
    ("from 9am-5pm", "from nine AM to five PM"),
    ("Jan 3-5, 2024", "January third to fifth, twenty twenty-four"),
    ("24-hour", "twenty-four hour"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_written_text_is_said(written, spoken):
    assert normalise(written, "eng").text == spoken


def test_years_beyond_the_usual_are_plain_numbers():
    assert English().year(1000) == "one thousand"
    assert English().year(33) == "thirty-three"
