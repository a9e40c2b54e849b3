"""Where results of a batch go."""

from pathlib import Path

from speech.transcript import Transcript


def write(folder: Path, path: str, transcript: Transcript) -> Path:
    target = folder / f"{Path(path).stem}.txt"
    assert not target.exists(), "written twice"
    target.write_text(transcript.text)
    return target
