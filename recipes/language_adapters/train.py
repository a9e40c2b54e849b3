"""Train adapters behind a frozen model: `python recipes/language_adapters/train.py language=CODE [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.adapters.config import AdaptConfig
from speech.train.adapters.run import adapt


def main(config: AdaptConfig, console: Console) -> None:
    report = adapt(config)
    if report.tables:
        report.print(console)
    console.print(f"adapters: {report.adapters}\ntry them: speech transcribe --adapters {report.adapters} FILE")


if __name__ == "__main__":
    start_training(main, "language_adapters")
