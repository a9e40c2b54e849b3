"""Report of an `adapt` run: table, plot and card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from speech.data.manifest import Utterance
from speech.data.mixing import hours_per_language
from speech.text.languages import resolve
from speech.train.adapters.config import AdaptConfig
from speech.train.adapters.tuning import Scores
from speech.train.asr.evaluate import ScoreRow, ScoreTable
from speech.train.loop.curve import save_figure


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """Result of an `adapt` run."""

    method: str
    parameters: int
    """Trained parameters per language."""
    share: float
    """The same as a share of the model's parameters."""
    steps: Mapping[str, int]
    """Code -> best step of the language on dev."""
    common: int
    """Best step on dev for all languages together."""
    tables: Mapping[str, ScoreTable]
    """Scores on test: "base", "common" (best common step), "own" (each language's best step); {} if not evaluated."""
    adapters: Path
    """Folder of the resulting adapters."""

    def gain(self, name: str = "own") -> float:
        """Mean relative WER reduction against the base, over the languages in which the base makes errors."""
        base, now = self.tables["base"].rows, self.tables[name].rows
        found = [less(base[code], now[code]) for code in base if _has_errors(base[code])]
        return sum(found) / len(found) if found else 0.0

    def to_dict(self) -> dict[str, Any]:
        record: dict[str, Any] = {
            "method": self.method,
            "parameters": self.parameters,
            "share": round(self.share, 6),
            "steps": dict(self.steps),
            "common_step": self.common,
        }
        if self.tables:
            record["test"] = {name: table.to_dict() for name, table in self.tables.items()}
            record["gain"] = {name: round(self.gain(name), 4) for name in self.tables}
        return record

    def print(self, console: Console) -> None:
        """Print the WER of each language: base, best common step, own best step."""
        title = f"test: {self.method}, {self.parameters} parameters a language ({self.share:.2%})"
        table = Table(title=title, title_justify="left")
        for name in ("language", "utterances", "base WER", "common step", "own step", "less", "base CER", "own CER"):
            table.add_column(name, justify="left" if name == "language" else "right")
        for code, row in self.tables["base"].rows.items():
            common, own = self.tables["common"].rows[code], self.tables["own"].rows[code]
            table.add_row(
                f"{resolve(code).name} ({code})",
                str(row.utterances),
                f"{row.errors.rate:.3f}",
                f"{common.errors.rate:.3f} ({self.common})",
                f"{own.errors.rate:.3f} ({self.steps[code]})",
                f"{less(row, own):+.1%}" if _has_errors(row) else "-",
                f"{row.characters.rate:.3f}",
                f"{own.characters.rate:.3f}",
            )
        table.add_section()
        table.add_row("mean reduction", "", "", f"{self.gain('common'):+.1%}", f"{self.gain():+.1%}", "", "", "")
        console.print(table)


def less(base: ScoreRow, now: ScoreRow) -> float:
    """Relative WER reduction; the base must make errors."""
    return 1 - now.errors.rate / base.errors.rate


def _has_errors(row: ScoreRow) -> bool:
    return row.errors.errors > 0 and row.errors.reference_length > 0


def adapter_card(config: AdaptConfig, code: str, utterances: Sequence[Utterance]) -> str:
    """Card of an adapter, in Markdown."""
    own = [u for u in utterances if u.language == code]
    hours = hours_per_language(own).get(code, 0.0)
    sources = sorted({(u.source, u.licence) for u in own})
    return "\n".join(
        [
            f"# Adapter for {resolve(code).name} ({code})",
            "",
            f"Trained for {config.trainer.max_steps} steps at most on {hours * 60:.0f} minutes of speech "
            f"({len(own)} utterances), behind `{Path(config.base).name}`, seed {config.seed}.",
            "",
            "| source | licence |",
            "|---|---|",
            *[f"| {source} | {licence} |" for source, licence in sources],
            "",
        ]
    )


def draw_scores(scores: Mapping[int, Mapping[str, Scores]], best: Mapping[str, int], picture: Path) -> None:
    """Plot the dev error rate of each language over steps, with its best step marked."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    steps = sorted(scores)
    for code, step in best.items():
        values = [scores[s][code]["dev_cer"] for s in steps]
        (line,) = axes.plot(steps, values, label=code, linewidth=1.2)
        axes.plot([step], [scores[step][code]["dev_cer"]], marker="o", color=line.get_color())
    axes.set_xlabel("step")
    axes.set_ylabel("character error rate on dev; dots: each language's best step")
    axes.grid(alpha=0.3)
    axes.legend(ncols=2, fontsize="small")
    save_figure(figure, picture)
