"""Train a label decoder at true length: `python recipes/hybrid/train.py base=DIR [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.label.config import LabelConfig
from speech.train.label.run import train_label


def main(config: LabelConfig, console: Console) -> None:
    result = train_label(config)
    if result is not None:
        beside = f"python recipes/hybrid/assemble.py CTC {result} DIR --data CORPUS"
        console.print(f"label model: {result}\nput it beside a CTC model: {beside}")


if __name__ == "__main__":
    start_training(main, "hybrid")
