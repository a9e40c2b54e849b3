"""Adapters behind a frozen model: `python recipes/language_adapters/train.py language=CODE [key=value ...]`."""

import logging
import sys

import hydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from speech.errors import SpeechError
from speech.train.adapt import adapt
from speech.train.schema import register

register()


@hydra.main(version_base="1.3", config_path="../../conf", config_name="language_adapters")
def main(config: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    console = Console()
    try:
        report = adapt(OmegaConf.to_object(config))  # type: ignore[arg-type]
    except SpeechError as error:
        console.print(f"[red]error:[/red] {error}", highlight=False)
        sys.exit(1)
    if report.tables:
        report.print(console)
    console.print(f"adapters: {report.adapters}\ntry them: speech transcribe --adapters {report.adapters} FILE")


if __name__ == "__main__":
    main()
