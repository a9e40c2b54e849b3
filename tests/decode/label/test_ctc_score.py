"""CTC's score of texts against all paths, against torch, and in time."""

import itertools
import math
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.decode.label.ctc_score import first_frames, prefix_scores


def random_log_probs(frames, vocabulary, seed=0, scale=3.0):
    logits = torch.randn(frames, vocabulary, generator=torch.Generator().manual_seed(seed)) * scale
    return logits.log_softmax(dim=-1).numpy()


def by_all_paths(log_probs, blank):
    """Probability of each text."""
    frames, vocabulary = log_probs.shape
    found = {}
    for path in itertools.product(range(vocabulary), repeat=frames):
        text = tuple(token for token, _ in itertools.groupby(path) if token != blank)
        found[text] = found.get(text, 0.0) + math.exp(sum(log_probs[t, token] for t, token in enumerate(path)))
    return found


@given(
    frames=st.integers(0, 4),
    vocabulary=st.integers(2, 3),
    seed=st.integers(0, 999),
    data=st.data(),
    scale=st.sampled_from([0.1, 3.0, 60.0]),
)
def test_it_is_the_sum_over_all_paths(frames, vocabulary, seed, data, scale):
    blank = data.draw(st.integers(0, vocabulary - 1))
    letters = st.sampled_from([token for token in range(vocabulary) if token != blank])
    texts = data.draw(st.lists(st.lists(letters, max_size=6), max_size=3))
    log_probs = random_log_probs(frames, vocabulary, seed, scale).astype(float)
    known = by_all_paths(log_probs, blank)
    found = prefix_scores(log_probs, texts, blank)
    assert [len(scores) for scores in found] == [len(text) + 1 for text in texts]
    for text, scores in zip(texts, found, strict=True):
        expected = [known.get(tuple(text[:n]), 0.0) for n in range(len(text) + 1)]
        expected = [math.log(p) if p else -math.inf for p in expected]
        np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 8.0, 40.0])
def test_it_is_what_torch_says_of_whole_texts_however_unlikely(scale):
    log_probs = random_log_probs(400, 30, 1, scale)
    generator = np.random.default_rng(2)
    texts = [generator.integers(1, 30, length).tolist() for length in (0, 1, 60, 200, 390, 401)]
    texts.append([4] * 150)
    found = prefix_scores(log_probs, texts)
    for text, scores in zip(texts, found, strict=True):
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(log_probs).double()[:, None],
            torch.tensor(text)[None],
            torch.tensor([400]),
            torch.tensor([len(text)]),
            reduction="sum",
        )
        assert scores[-1] == pytest.approx(-float(loss), rel=1e-8)


def test_each_prefix_has_the_score_of_its_own():
    log_probs = random_log_probs(50, 9, 3)
    text = [1, 1, 2, 8, 8, 8, 3, 5]
    alone = [prefix_scores(log_probs, [text[:n]])[0][-1] for n in range(len(text) + 1)]
    np.testing.assert_allclose(prefix_scores(log_probs, [[3], text, []])[1], alone, rtol=1e-12)


def test_more_letters_than_frames_cannot_be_said_and_no_frames_say_nothing():
    log_probs = random_log_probs(3, 4)
    assert prefix_scores(log_probs, [[1, 2, 3, 1], [1, 1], [1, 1, 1]])[0][-1] == -math.inf
    assert np.isfinite(prefix_scores(log_probs, [[1, 1]])[0]).all()
    assert prefix_scores(log_probs, [[1, 1, 1]])[0].tolist()[2:] == [
        prefix_scores(log_probs, [[1, 1]])[0][2],
        -math.inf,
    ]
    assert [scores.tolist() for scores in prefix_scores(log_probs[:0], [[], [1]])] == [[0.0], [0.0, -math.inf]]
    assert prefix_scores(log_probs, []) == []
    never = np.full((3, 4), -np.inf, np.float32)
    never[:, 2] = 0.0
    assert [scores.tolist() for scores in prefix_scores(never, [[2], [1]])] == [[-math.inf, 0.0], [-math.inf] * 2]


def test_sixteen_seconds_of_six_long_texts_take_milliseconds():
    log_probs = random_log_probs(800, 180, 4, 6.0)
    texts = [np.random.default_rng(n).integers(1, 180, 200).tolist() for n in range(6)]
    prefix_scores(log_probs, texts)
    times = []
    for _ in range(5):
        began = time.thread_time()
        prefix_scores(log_probs, texts)
        times.append(time.thread_time() - began)
    assert min(times) < 0.04  # 6 ms on one core of a server


def test_more_rows_than_frames_begin_in_order_within_them():
    attention = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    found = first_frames(attention).tolist()
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] == 2


def test_without_a_text_to_judge_nothing_is_compiled_and_before_one_it_is():
    code = (
        "import sys, threading\n"
        "from speech.decode.label.ctc_score import prepare\n"
        "assert 'numba' not in sys.modules\n"
        "prepare(), prepare()\n"
        "[t.join() for t in threading.enumerate() if t.name == 'compile']\n"
        "kernels = sys.modules['speech.decode.label.ctc_score_kernels']\n"
        "assert kernels.forward.signatures and kernels.warped.signatures\n"
        "import numpy as np\n"
        "from speech.decode.label.ctc_score import first_frames, prefix_scores\n"
        "before = [len(f.signatures) for f in (kernels.forward, kernels.warped)]\n"
        "prefix_scores(np.zeros((9, 5), np.float32), [[1, 2], []]), first_frames(np.zeros((3, 9), np.float32))\n"
        "assert before == [len(f.signatures) for f in (kernels.forward, kernels.warped)] == [1, 1]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
