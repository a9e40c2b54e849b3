"""What a compiled search tries in each frame; and it leaves the interpreter to others."""

import threading

import numpy as np
import torch

from speech.compiled import load
from speech.decode.ctc.compiled_beam import SearchConfig, compiled_beam


def test_the_best_tokens_of_a_frame_are_tried_equals_in_order():
    log_probs = np.array([[-1, -3, -2, -2, -9], [-8, -1, -8, -8, -8], [0, -7, -7, -7, -7]], np.float32)
    kernels = load("speech.decode.ctc.beam_kernels")
    blanks, begins, said, chances = kernels.tried(log_probs, 2, -6.0, 0)
    assert blanks.tolist() == [-1.0, -8.0, 0.0]
    assert begins.tolist() == [0, 2, 3, 3]
    assert said.tolist() == [2, 3, 1]
    assert chances.tolist() == [-2.0, -2.0, -1.0]


def test_other_threads_run_meanwhile():
    log_probs = (0.3 * torch.randn(6000, 12, generator=torch.Generator().manual_seed(0))).log_softmax(dim=-1)
    config = SearchConfig(beam=64, top_k=12, least=-20.0)
    compiled_beam(log_probs[:2], config)
    done = threading.Event()

    def search() -> None:
        compiled_beam(log_probs, config)
        done.set()

    threading.Thread(target=search).start()
    turns = 0
    while not done.is_set():
        turns += 1
    assert turns > 10_000
