"""What a codec keeps of speech: word error rate and predicted opinion before and after it, codes used, bit rate.

    python benchmarks/codec_speech.py MODEL CORPUS/test.jsonl --whisper DIR --output codec_speech.json

Utterances of each source and language go through the codec whole; the first `--limit` of those that last `--least`
seconds or more, by id. The recogniser is Whisper-base (faster-whisper, int8, beam 5, language given). Languages that
it does not know are left out. DistillMOS (extra `speech-scores`) is left out with --no-opinions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import soxr
import torch
import typer
from clips import save, table
from peer import CODES, Peer
from rich.console import Console
from rich.progress import track
from timing import machine

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import TextPair
from speech.metrics.speech_quality.opinions import DistillMos, OpinionModel
from speech.models.codec import NeuralCodec
from speech.models.codec_checkpoint import load_codec_checkpoint
from speech.train.codec.code_use import code_use, count_codes


class Coded(NamedTuple):
    """An utterance behind a codec."""

    samples: np.ndarray
    """`(n,)` float32, as many as went in."""
    codes: np.ndarray
    """`(codebooks, frames)`."""


def main(
    model: Annotated[Path, typer.Argument(help="Codec.")],
    manifests: Annotated[list[Path], typer.Argument(help="Speech with texts.")],
    whisper: Annotated[Path, typer.Option(help="CTranslate2 conversion of Whisper-base.")],
    limit: Annotated[int, typer.Option(help="Utterances of each source and language.", min=1)] = 12,
    least: Annotated[float, typer.Option(help="Seconds of the shortest utterance.", min=0)] = 2.0,
    opinions: Annotated[bool, typer.Option(help="Predict opinions with DistillMOS.")] = True,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    output: Annotated[Path | None, typer.Option(help="Write figures and texts as JSON.")] = None,
) -> None:
    """Print the table."""
    torch.set_num_threads(threads)
    codec, peer = load_codec_checkpoint(model).model, Peer(whisper, threads=threads)
    judge = DistillMos() if opinions else None
    rows: list[dict[str, Any]] = []
    every: list[np.ndarray] = []
    for own in chosen([one for path in manifests for one in read_manifest(path)], limit, least):
        row, codes = measured(codec, peer, judge, own)
        rows.append(row)
        every += codes
    Console().print(table(rows))
    save(output, {"model": model.name, "bit_rate": bit_rate(codec), **used(every, codec), **machine(), "rows": rows})


def chosen(utterances: Sequence[Utterance], limit: int, least: float) -> list[list[Utterance]]:
    """The first utterances of each source and language that the recogniser knows."""

    def key(one: Utterance) -> tuple[str, str]:
        return one.source or "", one.language

    fit = sorted((u for u in utterances if u.duration_s >= least and u.language in CODES), key=lambda u: (key(u), u.id))
    return [list(own)[:limit] for _, own in groupby(fit, key=key)]


@torch.inference_mode()
def coded(codec: NeuralCodec, samples: np.ndarray) -> Coded:
    """Samples `(n,)` at the codec's rate behind the codec."""
    codes, frames = codec.encode(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    decoded, _ = codec.decode(codes, frames)
    return Coded(decoded[0, : len(samples)].float().numpy(), codes[0].numpy())


def measured(
    codec: NeuralCodec, peer: Peer, judge: OpinionModel | None, utterances: Sequence[Utterance]
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """A row of the table, and the codes of the utterances."""
    first = utterances[0]
    errors, sums, texts, codes = [ErrorCounts(), ErrorCounts()], [0.0, 0.0], [], []
    for one in track(utterances, description=f"{first.source} {first.language}", transient=True):
        samples = load_audio(one.audio, rate=codec.sample_rate)
        behind = coded(codec, samples)
        codes.append(behind.codes)
        heard = []
        for n, audio in enumerate((samples, behind.samples)):
            narrow = np.asarray(soxr.resample(audio, codec.sample_rate, SAMPLE_RATE), dtype=np.float32)
            heard.append(peer.transcribe(narrow, one.language).text)
            errors[n] += TextPair(one.text, heard[n], [one.language]).word_errors
            sums[n] += 0.0 if judge is None else judge.opinion(narrow)
        texts.append({"id": one.id, "text": one.text, "before": heard[0], "after": heard[1]})
    row = {
        "source": first.source,
        "language": first.language,
        "utterances": len(utterances),
        "seconds": round(sum(one.duration_s for one in utterances), 1),
        "wer_before": round(errors[0].rate, 4),
        "wer_after": round(errors[1].rate, 4),
    }
    if judge is not None:
        row |= {f"opinion_{when}": round(sums[n] / len(utterances), 2) for n, when in enumerate(("before", "after"))}
    return {**row, "texts": texts}, codes


def used(codes: Sequence[np.ndarray], codec: NeuralCodec) -> dict[str, Any]:
    """Share of the codes of each codebook that occurred, and their perplexity."""
    joined = torch.from_numpy(np.concatenate(codes, axis=1))[None]
    frames = joined.shape[2]
    use = code_use(count_codes(joined, torch.ones(1, frames, dtype=torch.bool), codec.codebook_size))
    return {
        "used": [round(own, 3) for own in use.used.tolist()],
        "perplexity": [round(own, 1) for own in use.perplexity.tolist()],
        "frames": frames,
    }


def bit_rate(codec: NeuralCodec) -> float:
    """Bits per second."""
    return round(codec.codebooks * float(np.log2(codec.codebook_size)) * codec.sample_rate / codec.frame_samples, 1)


if __name__ == "__main__":
    typer.run(main)
