"""Diff-vector transfer (arXiv 2503.20110): a difference learned on one base model works on a newer base trained from
it.

An adapter is such a difference: it is added to the newer base as it is, without training.
"""

from __future__ import annotations

from pathlib import Path

from speech.errors import ModelError
from speech.models.adapters.file import AdapterFile, fingerprint
from speech.models.adapters.store import read
from speech.models.checkpoint import Outline, load_outline

_NOTE = """

Moved by `speech adapters transfer` from behind the base {old} to behind {new}, without training. What is said above
was measured behind the former.
"""


def transfer(path: Path, old: Path, new: Path) -> AdapterFile:
    """Return the adapter for another base. Scores are dropped, since they were measured on the old base.

    Args:
        path: the adapter file.
        old: checkpoint that it was trained on.
        new: checkpoint trained from `old`.

    Raises:
        ModelError: if the adapter is not for `old`, or the bases differ in sizes or vocabulary.
    """
    before, after = load_outline(old), load_outline(new)
    _compare(before, after, str(new))
    item = read(path, fingerprint(old), before.empty(), where=str(path))[1]
    base = fingerprint(new)
    card = item.card.rstrip() + _NOTE.format(old=item.base[:12], new=base[:12])
    return AdapterFile(item.adapter, item.language, base, card)


def _compare(before: Outline, after: Outline, where: str) -> None:
    fix = "Transfer works where the new base was trained on from the old one; train the adapter for this one."
    pieces, others = before.tokenizer.vocabulary.pieces, after.tokenizer.vocabulary.pieces
    if pieces != others:
        found = next((a, b) for a, b in zip((*pieces, None), (*others, None), strict=False) if a != b)
        text = f"has another vocabulary than the old base: piece {found[1]!r} instead of {found[0]!r}"
        raise ModelError(text, where=where, fix=fix)
    sizes, changed = ({k: tuple(v.shape) for k, v in part.empty().state_dict().items()} for part in (before, after))
    wrong = sorted(name for name in sizes.keys() | changed.keys() if sizes.get(name) != changed.get(name))
    if wrong:
        name = wrong[0]
        text = f"has other sizes than the old base: {len(wrong)} tensors, such as {name} {changed.get(name)}"
        raise ModelError(f"{text} instead of {sizes.get(name)}", where=where, fix=fix)
