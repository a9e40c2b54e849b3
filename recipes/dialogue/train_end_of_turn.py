"""Train an end-of-turn model: `python recipes/dialogue/train_end_of_turn.py texts=FOLDER [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.end_of_turn.config import EndOfTurnTrainConfig
from speech.train.end_of_turn.run import train_end_of_turn


def main(config: EndOfTurnTrainConfig, console: Console) -> None:
    console.print(f"end-of-turn model: {train_end_of_turn(config)}", markup=False)


if __name__ == "__main__":
    start_training(main, "end_of_turn")
