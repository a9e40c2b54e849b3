"""Train an audio codec: `python recipes/tts/train_codec.py [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.codec.config import CodecTrainConfig
from speech.train.codec.run import train_codec


def main(config: CodecTrainConfig, console: Console) -> None:
    result = train_codec(config)
    if result is not None:
        console.print(f"codec: {result}")


if __name__ == "__main__":
    start_training(main, "codec")
