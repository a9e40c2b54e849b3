"""What users choose between, without what carries it out: options can be shown before anything heavy is imported."""

from enum import StrEnum

EMBEDDED = "embedded"
"""Name of the model that ships with the package."""
AUTO = "auto"
"""Any language that the model knows."""


class Precision(StrEnum):
    """In which numbers a model computes; names equal values."""

    auto = "auto"
    """int8 on a CPU that has the kernels, bfloat16 on a CUDA GPU that computes in it, otherwise float32."""
    float32 = "float32"
    bfloat16 = "bfloat16"
    """Half the memory; four times as fast where the processor has it (AVX512-BF16, AMX, GPUs), slow elsewhere."""
    int8 = "int8"
    """Linear layers in eight bits: about half the time, a few words in a thousand different."""


class Cut(StrEnum):
    """Where long audio is cut; names equal values."""

    pauses = "pauses"
    """Where nobody speaks, found by the voice detector; silence is not read."""
    windows = "windows"
    """Windows of one length with context at both sides, as OWSM-CTC is published."""


class Storage(StrEnum):
    """How weights lie on disk; names equal values. Vectors are always float32."""

    float32 = "float32"
    float16 = "float16"
    int8 = "int8"
    """Matrices as int8 with one float32 scale per output row."""


class Live(StrEnum):
    """What a model's live partial results come from; names equal values."""

    chunks = "chunks"
    """It hears chunk by chunk: a little work for every bit of audio."""
    parts = "parts"
    """It hears whole parts alone: that under way is read again, at most every second."""
