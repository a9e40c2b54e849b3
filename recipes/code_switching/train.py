"""Fine-tune on code-switched speech: `python recipes/code_switching/train.py data.root=CORPUS [key=value ...]`.

`prepare.py` makes the speech; its checksums are verified before the first step.
"""

import shutil
from pathlib import Path

from rich.console import Console

from speech.cli.training import start_training
from speech.data.checksums import verify
from speech.files import check_writable, replacing
from speech.models.checkpoint import LANGUAGE_MODEL, LEXICON
from speech.models.hub import locate
from speech.ranges import check
from speech.train.asr.config import TrainConfig
from speech.train.asr.run import train


def main(config: TrainConfig, console: Console) -> None:
    check(config)
    check_writable(Path(config.output))
    for manifest in config.data.also:
        verify(Path(manifest).parent)
    result = train(config)
    if result is None:  # None in all processes but the first
        return
    if result.table is not None:
        result.table.print(console)
    _carry_language_model(config, result.checkpoint, console)
    console.print(f"model: {result.checkpoint}\ntry it: speech transcribe --model {result.checkpoint} FILE")


def _carry_language_model(config: TrainConfig, checkpoint: Path, console: Console) -> None:
    """Copy the language model of the initial checkpoint, since the tokens are the same."""
    if not config.init.checkpoint or config.init.encoder_only:
        return
    for name in (LANGUAGE_MODEL, LEXICON):
        source = locate(config.init.checkpoint) / name
        if source.is_file():
            with replacing(checkpoint / name) as temporary:
                shutil.copyfile(source, temporary)
            console.print(f"{name} is that of {config.init.checkpoint}")


if __name__ == "__main__":
    start_training(main, "code_switching")
