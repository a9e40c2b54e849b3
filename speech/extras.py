"""What to install where an extra of this package is needed: the one place that knows the package's name on an index."""

DISTRIBUTION = "speech-ctc"
"""The name to install by; the name to import, and the command, are `speech`."""


def needs_extra(extra: str) -> str:
    """How to install an extra, as the fix of an error: "pip install 'NAME[kenlm]'"."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
