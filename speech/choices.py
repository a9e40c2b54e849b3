"""Enums of user options. The module imports nothing heavy, so that the command line can list options quickly."""

from enum import StrEnum

EMBEDDED = "embedded"
"""Name of the recogniser that ships with the package."""
EMBEDDED_VOICE = "embedded-voice"
"""Name of the voice model of the package."""
EMBEDDED_WATERMARK = "embedded-watermark"
"""Name of the watermark that ships with the package."""
AUTO = "auto"
"""Language value: identify the language among those that the model knows."""


class Precision(StrEnum):
    """Number format of a model's computation; names equal values."""

    auto = "auto"
    """int8 on a CPU with the kernels, bfloat16 on a CUDA GPU that supports it, otherwise float32."""
    float32 = "float32"
    bfloat16 = "bfloat16"
    """Half the memory; four times as fast on processors that support it (AVX512-BF16, AMX, GPUs), slow elsewhere."""
    int8 = "int8"
    """Linear layers in int8: about half the time; a few words in a thousand differ."""


class Cut(StrEnum):
    """Where long audio is cut; names equal values."""

    pauses = "pauses"
    """At pauses found by the voice activity detector; silence is skipped."""
    windows = "windows"
    """In windows of fixed length with context on both sides, as published for OWSM-CTC."""


class Storage(StrEnum):
    """Number format of weights on disk; names equal values. Vectors are float32 if nothing else is said."""

    float32 = "float32"
    float16 = "float16"
    int8 = "int8"
    """Matrices as int8 with one float32 scale per output row."""
    compact = "compact"
    """Matrices in about four bits a weight, entropy-coded; small ones and vectors as float16. It is float32 again when
    it is loaded."""


class Live(StrEnum):
    """Source of a model's live partial results; names equal values."""

    chunks = "chunks"
    """The encoder reads the audio chunk by chunk, with little work per chunk."""
    parts = "parts"
    """The encoder reads only whole parts: the current part is read again, at most once a second."""


class PolicyName(StrEnum):
    """When a translation is written; names equal values."""

    complete = "complete"
    """After each complete part."""
    align_att = "align_att"
    local_agreement = "local_agreement"
    hold_n = "hold_n"
    wait_k = "wait_k"
    emma = "emma"


class OpinionName(StrEnum):
    """Networks that predict what listeners would say of speech; names equal values."""

    distillmos = "distillmos"
    dnsmos = "dnsmos"


class AudioEncoding(StrEnum):
    """Formats that audio can be written in."""

    wav = "wav"
    mp3 = "mp3"
    opus = "opus"
    """Opus in Ogg."""
    flac = "flac"
    aac = "aac"
    """AAC in ADTS frames."""
    pcm = "pcm"
    """16-bit little-endian samples without a header."""
