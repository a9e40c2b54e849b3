"""Train a label decoder at true length: `python recipes/hybrid/train.py base=DIR [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.label.config import LabelConfig
from speech.train.label.run import train_label


def main(config: LabelConfig, console: Console) -> None:
    result = train_label(config)
    console.print(
        f"label model: {result}\nput it beside a CTC model: python recipes/hybrid/assemble.py CTC {result} DIR"
    )


if __name__ == "__main__":
    start_training(main, "hybrid")
