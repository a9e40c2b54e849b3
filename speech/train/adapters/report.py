"""What a run of `adapt` leaves for people to read: table, picture, card."""

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
    """How good it has become."""

    method: str
    parameters: int
    """That one language trains."""
    share: float
    """Of the model's."""
    steps: Mapping[str, int]
    """Code -> its best step on dev."""
    common: int
    """The best step for all together."""
    tables: Mapping[str, ScoreTable]
    """On test: "base", "common" (the best common step), "own" (each language's best step); empty if not asked for."""
    adapters: Path
    """Folder of the result."""

    def gain(self, name: str = "own") -> float:
        """Mean over languages of the relative reduction of the word error rate against the base; those in which the
        base makes no error cannot become better and are left out."""
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
        """WER of each language: base, best common step, own best step."""
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
    """Relative reduction of the word error rate of a base that makes errors."""
    return 1 - now.errors.rate / base.errors.rate


def _has_errors(row: ScoreRow) -> bool:
    return row.errors.errors > 0 and row.errors.reference_length > 0


def adapter_card(config: AdaptConfig, code: str, utterances: Sequence[Utterance]) -> str:
    """Markdown that goes with an adapter."""
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
    """Errors of each language on dev over steps, its best step marked."""
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
