"""Synthesize one sentence with eSpeak NG in a separate process: `python -I espeak_process.py LIBRARY DATA`.

Reads {"voice", "rate", "pitch", "text"} as JSON from standard input, and writes samples per second, four bytes, and the
samples, sixteen bits each, to standard output. The synthesizer carries state from sentence to sentence and seeds its
noise from the clock; a new process with a fixed seed makes the output reproducible. It also isolates the caller from
faults of the C code.
"""

import ctypes
import json
import sys

_IN_ORDER, _UTF8, _NO_EXIT = 2, 1, 0x8000
_RATE, _PITCH = 1, 3
_SEED = 1


def main(library: str, data: str) -> None:
    asked = json.load(sys.stdin)
    espeak = ctypes.CDLL(library)
    per_second = espeak.espeak_Initialize(_IN_ORDER, 0, data.encode(), _NO_EXIT)
    if per_second <= 0:
        sys.exit(f"no data in {data}")
    said: list[bytes] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def take(samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            said.append(ctypes.string_at(samples, 2 * count))
        return 0

    espeak.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
    espeak.espeak_SetSynthCallback(take)
    if espeak.espeak_SetVoiceByName(asked["voice"].encode()) != 0:
        sys.exit(f"no voice {asked['voice']}")
    espeak.espeak_SetParameter(_RATE, asked["rate"], 0)
    espeak.espeak_SetParameter(_PITCH, asked["pitch"], 0)
    text = asked["text"].encode() + b"\0"
    if espeak.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 0, 0, _UTF8, None, None) != 0:
        sys.exit("nothing was said")
    espeak.espeak_Synchronize()
    sys.stdout.buffer.write(per_second.to_bytes(4, "little") + b"".join(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
