"""Install hints for optional extras. Only this module knows the package's name on the index."""

DISTRIBUTION = "speech-ctc"
"""Distribution name for pip; the import name and the command are `speech`."""


def needs_extra(extra: str) -> str:
    """Return the pip command for an extra, used as the fix of an error: "pip install 'NAME[kenlm]'"."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
