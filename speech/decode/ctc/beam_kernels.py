"""Compiled `prefix_beam` with `TokenNgram`, `LexiconScorer` and `BiasingScorer`: the same arithmetic in the same order,
without the GIL.

Compiled by numba on first use and cached on disk. Imported by `compiled_beam.py` only, and lazily: importing numba
takes most of a second.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_NEVER = -math.inf
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_ONE = np.uint64(1)
_NOTHING = np.uint64(0)
_NUMBER = np.uint64(1)

_HALF = np.uint64(32)

LETTER, WORD_START, DIGIT, APOSTROPHE = 0, 1, 2, 3
"""Kinds of characters of pieces."""
START = 0x2581
"""Code point of the character that begins a word."""
_END = np.array([START])


@njit(cache=True, nogil=True)
def _sum(a, b):  # type: ignore[no-untyped-def]
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))


@njit(cache=True, nogil=True)
def _extended(key, token):  # type: ignore[no-untyped-def]
    key = (key ^ (np.uint64(token) + _ONE)) * _MULTIPLIER
    return key ^ (key >> _SHIFT)


@njit(cache=True, nogil=True)
def _find(keys, low, high, key):  # type: ignore[no-untyped-def]
    """Index of `key` in the sorted `keys[low:high]`; -1 if it is missing."""
    end = high
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < end and keys[low] == key else -1


@njit(cache=True, nogil=True)
def _hash_contexts(node, parents, tokens, ngram, contexts, spent):  # type: ignore[no-untyped-def]
    """Fill in the hashes of a node's n-gram contexts, longest first, and their accumulated backoff costs; returns their
    number."""
    order, keys, _, backoffs, _ = ngram
    history = np.empty(max(order - 1, 0), np.int64)
    count = 0
    while count < len(history) and node >= 0:
        history[count] = tokens[node]
        count += 1
        node = parents[node]
    total = 0
    for begin in range(count):
        key = _NOTHING
        for place in range(count - 1 - begin, -1, -1):
            key = _extended(key, history[place])
        contexts[begin], spent[begin] = key, total
        found = _find(keys, 0, len(keys), key)
        total += backoffs[found] if found >= 0 else 0
    contexts[count], spent[count] = _NOTHING, total
    return count + 1


@njit(cache=True, nogil=True)
def _token_score(token, count, contexts, spent, ngram):  # type: ignore[no-untyped-def]
    _, keys, scores, _, steps = ngram
    for place in range(count):
        found = _find(keys, 0, len(keys), _extended(contexts[place], token))
        if found >= 0:
            return -(spent[place] + scores[found]) / steps
    return -(spent[count - 1] + 255) / steps


@njit(cache=True, nogil=True)
def _word_score(whole, tail, lexicon):  # type: ignore[no-untyped-def]
    keys, scores, ranges, scale, penalty, usual, steps, own = lexicon
    if whole in (_NOTHING, _NUMBER):
        return 0.0
    lowest = 0.0 if _find(own, 0, len(own), whole) >= 0 else _NEVER
    for key in (whole, tail):
        least = 256
        if key != _NOTHING:
            for row in range(len(ranges)):
                found = _find(keys, ranges[row, 0], ranges[row, 1], key)
                if found >= 0 and scores[found] < least:
                    least = scores[found]
        if least < 256:
            return max(scale * (-least / steps - usual), lowest)
    return max(-penalty, lowest)


@njit(cache=True, nogil=True)
def _match(place, letters, phrases):  # type: ignore[no-untyped-def]
    """The phrase state after more letters, and their score; see `phrases.Phrases.score`."""
    _, _, edges, targets, last, shorter, earned, hope = phrases
    before, gain = place, 0.0
    for letter in letters:
        if letter == START and last[place] == START:
            continue
        found = -1
        while True:
            found = _find(edges, 0, len(edges), (np.uint64(place) << _HALF) | np.uint64(letter))
            if found >= 0 or place == 0:
                break
            place = shorter[place]
        place = targets[found] if found >= 0 else 0
        gain += earned[place]
    return place, gain + (hope[place] - hope[before])


@njit(cache=True, nogil=True)
def _spell(token, whole, tail, gain, pieces, lexicon):  # type: ignore[no-untyped-def]
    """The hashes of the current word after a token, and `gain` plus the scores of words completed by it."""
    begins, letters, kinds = pieces
    for place in range(begins[token], begins[token + 1]):
        kind = kinds[place]
        if kind == WORD_START:
            gain += _word_score(whole, tail, lexicon)
            whole, tail = _NOTHING, _NOTHING
        elif whole == _NUMBER or kind == DIGIT:
            whole, tail = _NUMBER, _NOTHING
        else:
            whole = _extended(whole, letters[place])
            tail = _NOTHING if kind == APOSTROPHE else _extended(tail, letters[place])
    return whole, tail, gain


@njit(cache=True, nogil=True)
def tried(log_probs, top_k, least, blank):  # type: ignore[no-untyped-def]
    """Select the tokens to try: blank, and the best `top_k` tokens above `least`, for each frame of
    `log_probs (T, vocabulary)`.

    Returns:
        Blank log-probabilities (T,); offsets of each frame's tokens (T + 1,); tokens and their log-probabilities,
        best first, ties by id.
    """
    frames, vocabulary = log_probs.shape
    begins, blanks = np.zeros(frames + 1, np.int64), np.empty(frames)
    said, chances = np.empty(frames * top_k, np.int64), np.empty(frames * top_k)
    for frame in range(frames):
        first = end = begins[frame]
        blanks[frame] = log_probs[frame, blank]
        for token in range(vocabulary):
            chance = np.float64(log_probs[frame, token])
            full = end - first == top_k
            if token == blank or not chance > least or (full and chance <= chances[end - 1]):
                continue
            place = end - 1 if full else end
            end = place + 1
            while place > first and chances[place - 1] < chance:
                said[place], chances[place] = said[place - 1], chances[place - 1]
                place -= 1
            said[place], chances[place] = token, chance
        begins[frame + 1] = end
    return blanks, begins, said[: begins[frames]].copy(), chances[: begins[frames]].copy()


@njit(cache=True, nogil=True)
def _longer(node, token, tree, sizes, model):  # type: ignore[no-untyped-def]
    """The node of a text with one more token; it is created and scored on first use."""
    parents, tokens, extra, child, sibling, whole, tail, _, _, places, row_of, contexts, spent, counts = tree
    weight, bonus, ngram, pieces, lexicon, phrases, scored, worded, biased = model
    longer = child[node]
    while longer >= 0:
        if tokens[longer] == token:
            return longer
        longer = sibling[longer]
    longer = sizes[0]
    sizes[0] += 1
    parents[longer], tokens[longer] = node, token
    sibling[longer], child[node] = child[node], longer
    gain = 0.0
    if scored:
        row = row_of[node]
        if row < 0:
            row = row_of[node] = sizes[1]
            sizes[1] += 1
            counts[row] = _hash_contexts(node, parents, tokens, ngram, contexts[row], spent[row])
        gain = _token_score(token, counts[row], contexts[row], spent[row], ngram)
        if worded:
            whole[longer], tail[longer], gain = _spell(token, whole[node], tail[node], gain, pieces, lexicon)
    extra[longer] = extra[node] + weight * gain + bonus
    if biased:
        letters = phrases[1][phrases[0][token] : phrases[0][token + 1]]
        places[longer], earned = _match(places[node], letters, phrases)
        extra[longer] += earned
    return longer


@njit(cache=True, nogil=True)
def _slot(node, frame, wide, seen):  # type: ignore[no-untyped-def]
    """Index of a node in the unpruned beam of a frame; the node is added if missing."""
    nodes, blanked, spoken, count = wide
    stamps, slots = seen
    if stamps[node] != frame:
        stamps[node], slots[node] = frame, count[0]
        nodes[count[0]], blanked[count[0]], spoken[count[0]] = node, _NEVER, _NEVER
        count[0] += 1
    return slots[node]


@njit(cache=True, nogil=True)
def _emit(node, frame, chance, tree):  # type: ignore[no-untyped-def]
    """Record that a node's last token may be emitted in a frame; the likeliest frame is kept as its time."""
    peaks, heights = tree[7], tree[8]
    if peaks[node] < 0 or chance > heights[node]:
        peaks[node], heights[node] = frame, chance


@njit(cache=True, nogil=True)
def advance(blanks, begins, said, chances, tree, seen, sizes, beams, model):  # type: ignore[no-untyped-def]
    """Search more frames, as returned by `tried`.

    Args:
        blanks, begins, said, chances: of `tried`.
        tree: prefix tree, whose root is the empty text. Arrays over nodes: parent; last token; score of language
            model and bonus; first child; next sibling; two hashes of the current word; peak frame of the last token
            and its log-probability there; phrase state; row in the context cache. Arrays over rows: context hashes;
            their costs; their number.
        seen: arrays over nodes: frame in which the node was last in the beam, and its index there.
        sizes: nodes, rows, texts kept, frames so far.
        beams: kept nodes; log-probability of their paths ending in blank; of those not ending in blank.
        model: weight and bonus; n-gram model: order, keys, scores, backoffs, steps per nat; pieces: offsets of each
            token's characters, code points, kinds; lexicon: keys, scores, range of each language, scale, penalty,
            usual, steps per nat, additional known words; phrases: offsets of each token's letters, code points,
            edges, edge targets, and per state the last letter, the failure link, the earned and the provisional
            score; flags: whether there are an n-gram model, a lexicon with it, and phrases.
    """
    kept, blanked, spoken = beams
    beam, width, extra, tokens = len(kept), sizes[2], tree[2], tree[1]
    most = 0
    for frame in range(len(blanks)):
        most = max(most, begins[frame + 1] - begins[frame])
    room = beam * (most + 1)
    wide = np.empty(room, np.int64), np.empty(room), np.empty(room), np.zeros(1, np.int64)
    for frame in range(len(blanks)):
        now, wide[3][0] = sizes[3], 0
        for place in range(width):
            node, total = kept[place], _sum(blanked[place], spoken[place])
            here = _slot(node, now, wide, seen)
            wide[1][here] = _sum(wide[1][here], total + blanks[frame])
            for number in range(begins[frame], begins[frame + 1]):
                token, chance, before = said[number], chances[number], total
                if node > 0 and token == tokens[node]:
                    wide[2][here] = _sum(wide[2][here], spoken[place] + chance)
                    _emit(node, now, chance, tree)
                    before = blanked[place]  # a repeated token needs a blank in between
                if before > _NEVER:
                    longer = _longer(node, token, tree, sizes, model)
                    there = _slot(longer, now, wide, seen)
                    wide[2][there] = _sum(wide[2][there], before + chance)
                    _emit(longer, now, chance, tree)
        count = wide[3][0]
        totals = np.empty(count)
        for place in range(count):
            totals[place] = -(_sum(wide[1][place], wide[2][place]) + extra[wide[0][place]])
        ranked = np.argsort(totals, kind="mergesort")  # stable
        width = min(beam, count)
        for place in range(width):
            best = ranked[place]
            kept[place], blanked[place], spoken[place] = wide[0][best], wide[1][best], wide[2][best]
        sizes[3] += 1
    sizes[2] = width


@njit(cache=True, nogil=True)
def best(ended, tree, sizes, beams, model):  # type: ignore[no-untyped-def]
    """Return the best text's tokens, the peak frame of each, its log-probability there, and the text's score.

    Args:
        ended: whether the utterance ends here, which completes the last word.
        tree, sizes, beams, model: see `advance`.
    """
    kept, blanked, spoken = beams
    parents, tokens, extra, _, _, whole, tail, peaks, heights, places = tree[:10]
    weight, _, ngram, _, lexicon, phrases, scored, worded, biased = model
    contexts, spent = np.empty(ngram[0] + 1, np.uint64), np.empty(ngram[0] + 1, np.int64)
    found, highest = 0, _NEVER
    for place in range(sizes[2]):
        node, end = kept[place], 0.0
        if scored and ended:
            count = _hash_contexts(node, parents, tokens, ngram, contexts, spent)
            end = _token_score(0, count, contexts, spent, ngram)
            if worded:
                end += _word_score(whole[node], tail[node], lexicon)
        score = _sum(blanked[place], spoken[place]) + extra[node] + weight * end
        if biased and ended:
            rest, earned = _match(places[node], _END, phrases)
            score += earned - phrases[7][rest]
        if place == 0 or score > highest:
            found, highest = node, score
    length, node = 0, found
    while node > 0:
        length, node = length + 1, parents[node]
    ids, frames, chances, node = np.empty(length, np.int64), np.empty(length, np.int64), np.empty(length), found
    while node > 0:
        length -= 1
        ids[length], frames[length], chances[length], node = tokens[node], peaks[node], heights[node], parents[node]
    return ids, frames, chances, highest
