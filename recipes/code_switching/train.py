"""Fine-tune on code-switched speech: `python recipes/code_switching/train.py data.root=CORPUS [key=value ...]`.

`prepare.py` makes the speech; its checksums are verified before the first step.
"""

import logging
import shutil
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from speech.data.checksums import verify
from speech.errors import SpeechError
from speech.models.checkpoint import LANGUAGE_MODEL, LEXICON
from speech.models.hub import locate
from speech.train.config import TrainConfig
from speech.train.run import train
from speech.train.schema import register

register()


@hydra.main(version_base="1.3", config_path="../../conf", config_name="code_switching")
def main(config: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    console = Console(highlight=False)
    try:
        run: TrainConfig = OmegaConf.to_object(config)  # type: ignore[assignment]
        for manifest in run.data.also:
            verify(Path(manifest).parent)
        result = train(run)
    except SpeechError as error:
        console.print(f"[red]error:[/red] {error}")
        sys.exit(1)
    if result is None:  # a process that only helped
        return
    if result.table is not None:
        result.table.print(console)
    _carry_language_model(run, result.checkpoint, console)
    console.print(f"model: {result.checkpoint}\ntry it: speech transcribe --model {result.checkpoint} FILE")


def _carry_language_model(run: TrainConfig, checkpoint: Path, console: Console) -> None:
    """The tokens are those of the model that it began as: so is its language model."""
    if not run.init.checkpoint or run.init.encoder_only:
        return
    for name in (LANGUAGE_MODEL, LEXICON):
        source = locate(run.init.checkpoint) / name
        if source.is_file():
            shutil.copyfile(source, checkpoint / name)
            console.print(f"{name} is that of {run.init.checkpoint}")


if __name__ == "__main__":
    main()
