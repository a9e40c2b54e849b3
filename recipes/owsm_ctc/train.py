"""Train an OWSM-CTC model: `python recipes/owsm_ctc/train.py [experiment=NAME] [key=value ...]`."""

import logging
import sys

import hydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from speech.errors import SpeechError
from speech.train.run import train
from speech.train.schema import register

register()


@hydra.main(version_base="1.3", config_path="../../conf", config_name="owsm_ctc")
def main(config: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    console = Console()
    try:
        result = train(OmegaConf.to_object(config))  # type: ignore[arg-type]
    except SpeechError as error:
        console.print(f"[red]error:[/red] {error}", highlight=False)
        sys.exit(1)
    if result is None:  # a process of distributed training whose part is done
        return
    if result.table is not None:
        result.table.print(console)
    console.print(f"checkpoint: {result.checkpoint}\ntry it:     speech transcribe --model {result.checkpoint} FILE")


if __name__ == "__main__":
    main()
