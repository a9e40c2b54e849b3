"""Train a speech language model: `python recipes/tts/train.py codec=DIR [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.speech_lm.config import SpeechLmTrainConfig
from speech.train.speech_lm.run import train_speech_lm


def main(config: SpeechLmTrainConfig, console: Console) -> None:
    console.print(f"speech language model: {train_speech_lm(config)}")


if __name__ == "__main__":
    start_training(main, "tts")
