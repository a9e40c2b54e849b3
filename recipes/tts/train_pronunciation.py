"""Train a pronunciation model: `python recipes/tts/train_pronunciation.py corpora=[FOLDER,...] [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.pronunciation.config import PronunciationTrainConfig
from speech.train.pronunciation.run import train_pronunciation


def main(config: PronunciationTrainConfig, console: Console) -> None:
    console.print(f"pronunciation model: {train_pronunciation(config)}")


if __name__ == "__main__":
    start_training(main, "pronunciation")
