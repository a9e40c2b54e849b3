"""Train an OWSM-CTC model: `python recipes/owsm_ctc/train.py [experiment=NAME] [key=value ...]`."""

from rich.console import Console

from speech.cli.training import start_training
from speech.train.asr.config import TrainConfig
from speech.train.asr.run import train


def main(config: TrainConfig, console: Console) -> None:
    result = train(config)
    if result is None:  # None in all processes but the first
        return
    if result.table is not None:
        result.table.print(console)
    console.print(f"checkpoint: {result.checkpoint}\ntry it:     speech transcribe --model {result.checkpoint} FILE")


if __name__ == "__main__":
    start_training(main, "owsm_ctc")
