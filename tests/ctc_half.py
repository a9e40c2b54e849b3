"""The CTC half of the model that ships, as a model of its own: for tests of what frames say, whoever writes finals."""

import json
import tempfile
from functools import cache
from pathlib import Path

from speech.models.hub import EMBEDDED, locate


@cache
def ctc_half() -> str:
    """Its directory."""
    source, folder = locate(EMBEDDED), Path(tempfile.mkdtemp(prefix="ctc_half-"))
    for file in source.iterdir():
        if file.is_file() and file.name != "config.json":
            (folder / file.name).symlink_to(file)
    record = json.loads((source / "config.json").read_text("utf-8"))
    record |= {"kind": "owsm_ctc"}
    del record["joint"]
    (folder / "config.json").write_text(json.dumps(record), "utf-8")
    return str(folder)
