"""Train an audio watermark: `python recipes/tts/train_watermark.py [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.watermark.config import WatermarkTrainConfig
from speech.train.watermark.run import train_watermark


def main(config: WatermarkTrainConfig, console: Console) -> None:
    result = train_watermark(config)
    if result is not None:
        console.print(f"watermark: {result}")


if __name__ == "__main__":
    start_training(main, "watermark")
