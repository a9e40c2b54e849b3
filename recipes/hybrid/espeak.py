"""eSpeak NG: a small synthesizer with many voices for about 70 of the languages that Whisper supports."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from speech.audio.input.files import to_mono_16k
from speech.errors import ConfigError, DataError
from speech.text.languages import resolve

GROUP = "Run it as `uv run --group synthesis python recipes/hybrid/synthesize.py ...`."
_ACCENTS = {
    "cat": ("ca", "ca-va"),
    "cmn": ("cmn",),
    "eng": ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp"),
    "fra": ("fr-fr", "fr-be", "fr-ch"),
    "nor": ("nb",),
    "por": ("pt", "pt-br"),
    "spa": ("es", "es-419"),
    "vie": ("vi", "vi-vn-x-central", "vi-vn-x-south"),
}
_PLAIN = (
    "af am ar as az ba be bg bn bs cs cy da de el et eu fa fi gu he hi hr ht hu hy id is it ja ka kk kn ko la lb lt lv "
    "mi mk ml mr ms mt my ne nl pa pl ro ru sd si sk sl sq sr sv sw ta te th tk tr tt uk ur uz"
).split()
VOICES: dict[str, tuple[str, ...]] = {resolve(name).code: (name,) for name in _PLAIN} | _ACCENTS
"""ISO 639-3 -> voice names, one per accent."""
VARIANTS = ("", *(f"+m{n}" for n in range(1, 8)), *(f"+f{n}" for n in range(1, 6)))
"""Speaker variants, appended to the name of a voice."""
RATES, PITCHES = (125, 185), (30, 70)
"""Ranges of the rate (words per minute) and the pitch (the synthesizer's scale, 0 to 99)."""
_PROCESS = Path(__file__).with_name("espeak_process.py")
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text and how to say it."""

    text: str
    voice: str
    rate: int
    pitch: int

    @property
    def record(self) -> str:
        """Deterministic JSON."""
        return json.dumps(asdict(self), sort_keys=True)


class Espeak:
    """Synthesizes texts; the same input always gives the same samples.

    Raises:
        ConfigError: if the package `espeakng-loader` is not installed.
    """

    def __init__(self) -> None:
        found = importlib.util.find_spec("espeakng_loader")
        if found is None or found.origin is None:
            raise ConfigError("the package espeakng-loader, which carries eSpeak NG, is not installed", fix=GROUP)
        import espeakng_loader

        self._command = [sys.executable, "-I", str(_PROCESS)]
        self._command += [espeakng_loader.get_library_path(), espeakng_loader.get_data_path()]

    def __call__(self, spoken: Spoken) -> np.ndarray:
        """Synthesize a text to `(n,)` float32 at 16 kHz.

        Raises:
            DataError: if eSpeak NG fails, times out or returns no audio.
        """
        try:
            ran = subprocess.run(
                self._command, input=spoken.record.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(f"eSpeak NG does not come to an end with {spoken.text!r}", where=spoken.voice) from error
        if ran.returncode != 0 or len(ran.stdout) <= 4:
            reason = ran.stderr.decode("utf-8", "replace").strip().splitlines()
            raise DataError(f"eSpeak NG does not say {spoken.text!r}: {(reason or ['it says nothing'])[-1]}")
        rate, samples = int.from_bytes(ran.stdout[:4], "little"), np.frombuffer(ran.stdout[4:], "<i2")
        return to_mono_16k(samples, rate)
