"""Train a policy for simultaneous translation: `python recipes/streaming_translation/train.py [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.translation.config import TranslationConfig
from speech.train.translation.run import train_translation


def main(config: TranslationConfig, console: Console) -> None:
    result = train_translation(config)
    if result is not None:
        console.print(f"policy: {result}")


if __name__ == "__main__":
    start_training(main, "streaming_translation")
