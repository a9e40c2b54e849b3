"""Translation of a part that still grows: drafts for a policy of `speech.translate`, and their words."""

from __future__ import annotations

from speech.audio import SAMPLE_RATE
from speech.recognize.label_pass import LabelPass
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.text.languages import ENGLISH
from speech.transcript import Word, plain_words
from speech.translate.policy import TranslationDraft


def draft_of(label: LabelPass, part: Part, request: Request) -> TranslationDraft | None:
    """Draft the translation of a growing part, without CTC; None: nobody speaks, or the decoder does not know the
    language.

    Args:
        label: encodes and decodes.
        part: the audio so far, and the tokens that the draft continues.
        request: a translation.
    """
    if part.silent or not label.hears(part.samples, request):
        return None
    listened = label.listen(part.samples) if part.growing is None else part.growing.listen(label.model, part.samples)
    if listened.no_speech(label.tokenizer) >= label.config.no_speech:
        return None
    language = label.language(label.posterior(listened, request, {}), request)
    assert request.to is not None
    written, trained = part.translated, request.trained
    return label.drafts.draft(listened, language, request.to, written, complete=False, trained=trained)


def words_of(draft: TranslationDraft, count: int, part: Part, request: Request) -> list[Word]:
    """The words of the first `count` tokens of a draft, with times of the stream.

    Words that attend to audio before the part's own are left out: they translate the end of the part before.
    """
    groups: list[list[int]] = []
    for place in range(count):
        if not groups or draft.begins_word(place):
            groups.append([])
        groups[-1].append(place)
    words: list[Word] = []
    for group in groups:
        text = b"".join(draft.pieces[place] for place in group).decode("utf-8", "replace").strip()
        attended = [part.start / SAMPLE_RATE + draft.attended_s[place] for place in group]
        if text and (part.rested or max(attended) * SAMPLE_RATE >= part.first_sample):
            confidence = min(draft.chances[place] for place in group)
            words.append(Word(text, min(attended), max(attended), confidence, request.to or ENGLISH))
    return plain_words(words) if request.plain else words
