"""Diff-vector transfer (arXiv 2503.20110): what was learned as a difference behind one base works behind a newer one
that was trained on from it.

An adapter is such a difference: behind the newer base it is added as it is, without training.
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
    """An adapter for another base. Its scores do not come along: they were measured behind the old one.

    Args:
        path: of its file.
        old: checkpoint that it was trained behind.
        new: checkpoint that was trained on from that.

    Raises:
        ModelError: if it is not for the old one, or the two differ in sizes or vocabulary.
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
