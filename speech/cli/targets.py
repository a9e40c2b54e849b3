"""`speech targets`: measure which languages a model translates into; `--record` enables those targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from speech.cli.console import stderr, stdout
from speech.cli.progress import progress
from speech.data.manifest import Utterance, read_manifest
from speech.errors import DataError, SpeechError
from speech.files import printable
from speech.metrics.bootstrap import Difference, figure_difference
from speech.metrics.translation import CHRF, translation_figures
from speech.models.hub import locate
from speech.models.translation_targets import TargetScore, write_targets
from speech.recognize.request import Request
from speech.recognizer import Recognizer
from speech.text.languages import resolve

_FEWEST = 20
"""Minimum number of utterances for a target to count."""
_LEAST_GAIN = 5.0
"""Minimum chrF gain for a target to count: a model that copies the source gains less than 1."""


@dataclass(frozen=True, slots=True)
class _Measured:
    score: TargetScore
    gain: Difference
    """chrF gain over using the transcripts as translations."""

    @property
    def translates(self) -> bool:
        return self.gain.low >= _LEAST_GAIN and self.score.utterances >= _FEWEST


def measure_targets(
    model: Annotated[str, typer.Argument(help="Model: a directory, or a hub id.")],
    manifest: Annotated[Path, typer.Argument(help="Manifest of utterances with translations; see corpus/README.md.")],
    to: Annotated[list[str] | None, typer.Option(help="Measure only this target language. Repeatable.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Most utterances per target; the first ones are taken.")] = 500,
    record: Annotated[
        bool, typer.Option("--record", help="Record the result in the model's config.json and model card.")
    ] = False,
) -> None:
    """Measure which languages a model translates into: chrF of its translations against that of its transcripts.

    A target counts if the chrF of the translations is at least 5 above that of the transcripts (95 % confidence, 20
    utterances or more). Only recorded targets can be used.
    """
    folder = locate(model)
    recognizer = Recognizer.from_pretrained(model, measured_targets=False)
    utterances = read_manifest(manifest)
    targets = [resolve(name).code for name in to] if to else list(recognizer.targets)
    found: dict[str, _Measured] = {}
    for code in targets:
        recognizer.check(Request(to=code))
        chosen = [u for u in utterances if u.translations.get(code) and u.language != code][:most]
        chosen = [u for u in chosen if u.language in recognizer.languages]
        if chosen:
            found[code] = _measure(recognizer, chosen, code, manifest.name)
    if not found:
        text = (
            f"has no utterance with a translation into {', '.join(targets) or 'anything that the model has tokens for'}"
        )
        raise DataError(
            text, where=str(manifest), fix="The model has no tokens for translation." if not targets else None
        )
    stdout().print(_table(found))
    if record:
        kept = {code: one.score for code, one in found.items() if one.translates}
        write_targets(folder, kept)
        stderr().print(f"{printable(folder)}: recorded {', '.join(kept) or 'nothing'}")


def _measure(recognizer: Recognizer, utterances: Sequence[Utterance], code: str, data: str) -> _Measured:
    wanted = [utterance.translations[code] for utterance in utterances]
    said, written = _written(recognizer, utterances, None), _written(recognizer, utterances, code)
    source, own = (translation_figures(wanted, texts, [code] * len(wanted))[CHRF] for texts in (said, written))
    gain = figure_difference(source, own)
    chrf, before = own.over(range(len(wanted))), source.over(range(len(wanted)))
    assert gain is not None
    assert chrf is not None
    assert before is not None
    sources = tuple(sorted({utterance.language for utterance in utterances}))
    return _Measured(TargetScore(round(chrf, 2), round(before, 2), len(wanted), sources, data), gain)


def _written(recognizer: Recognizer, utterances: Sequence[Utterance], to: str | None) -> list[str]:
    """Transcribe or translate each utterance, with its spoken language given."""
    texts: dict[str, str] = {}
    with progress() as bars:
        bar = bars.add_task(f"into {to}" if to else "transcripts", total=len(utterances))
        for language in dict.fromkeys(utterance.language for utterance in utterances):
            own = [utterance for utterance in utterances if utterance.language == language]
            results = recognizer.transcribe_files([one.audio for one in own], Request((language,), to))
            for utterance, (_, result) in zip(own, results, strict=True):
                if isinstance(result, SpeechError):
                    raise result
                texts[utterance.id] = result.text
                bars.advance(bar)
    return [texts[utterance.id] for utterance in utterances]


def _table(found: dict[str, _Measured]) -> Table:
    table = Table()
    for name in ("into", "utterances", "chrF", "source", "gain (95 %)", "translates"):
        table.add_column(name, justify="left" if name == "into" else "right")
    for code, one in found.items():
        score, gain = one.score, one.gain
        interval = f"{gain.value:+.1f} ({gain.low:+.1f} to {gain.high:+.1f})"
        row = (str(score.utterances), f"{score.chrf:.1f}", f"{score.source_chrf:.1f}", interval)
        table.add_row(code, *row, "yes" if one.translates else "no")
    return table
