"""Code-switched speech from a parallel corpus: `python recipes/code_switching/prepare.py CORPUS OUT`.

For each pair of languages, sentences are switched where both word orders agree, then judged, repaired and judged again.
Accepted ones are cut from the recordings at the word times of a CTC model, and joined. The result is reproducible.
"""

import hashlib
import json
import logging
import os
from collections import Counter
from dataclasses import asdict, astuple
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.cli.recipe import start_command
from speech.data.checksums import CHECKSUMS, verify, write_checksums
from speech.data.code_switching.llm_judge import LlmJudge
from speech.data.code_switching.mixture import words_of
from speech.data.code_switching.parallel import Bitext, parallel_pairs, parallel_texts
from speech.data.code_switching.sentences import AcceptedMixture, Judge, generate, refine
from speech.data.code_switching.splicing import RecordingSpan, splice, write_flac
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import ConfigError, SpeechError
from speech.files import check_writable, write_atomically
from speech.recognizer import Recognizer
from speech.text.lines import lines_of
from speech.transcript import Word

PARTS = ("train", "dev", "test")
SHARES = (0.3, 0.5)
LEAST_CONFIDENCE = 0.5
LONGEST_S = 20.0
JUDGED = "judged.jsonl"
ALIGNED = "aligned.jsonl"

_log = logging.getLogger(__name__)


class Aligner:
    """Aligns utterances, with a cache; returns word times, or None if the alignment is not confident.

    Args:
        model: name, folder or hub id.
        file: JSON lines file for the cache, from which an interrupted run resumes.
    """

    def __init__(self, model: str, file: Path) -> None:
        self._recognizer = Recognizer.from_pretrained(model, beam=1)
        self._model = self._recognizer.fingerprint
        self._file = file
        self._known: dict[tuple[str, str], tuple[Word, ...] | None] = {}
        for line in lines_of(file.read_bytes().decode("utf-8", "replace")) if file.is_file() else ():
            try:
                model, key, text, words = json.loads(line)
            except ValueError:  # incomplete last line of a killed run
                continue
            if model == self._model:
                self._known[key, text] = None if words is None else tuple(Word(*word) for word in words)

    def __call__(self, utterance: Utterance) -> tuple[Word, ...] | None:
        key = str(utterance.audio), utterance.text
        if key not in self._known:
            words = self._known[key] = self._align(utterance)
            record = [self._model, *key, None if words is None else [astuple(word) for word in words]]
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
        return self._known[key]

    def _align(self, utterance: Utterance) -> tuple[Word, ...] | None:
        try:
            words = self._recognizer.align(utterance.audio, utterance.text, language=utterance.language).words
        except SpeechError as error:
            _log.info("%s: %s", utterance.id, error)
            return None
        if tuple(word.text for word in words) != words_of(utterance.text, utterance.language):
            return None
        return words if float(np.mean([word.confidence for word in words])) >= LEAST_CONFIDENCE else None


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of train.jsonl, dev.jsonl, test.jsonl with parallel_id.")],
    output: Annotated[Path, typer.Argument(help="Folder for audio, manifests, verdicts, checksums.")],
    model: Annotated[str, typer.Option(help="That aligns: name, folder or hub id.")] = "embedded",
    train: Annotated[int, typer.Option(help="Most utterances of a pair of languages.")] = 60,
    dev: int = 4,
    test: int = 8,
    variants: Annotated[int, typer.Option(help="Mixtures of one pair of recordings.")] = 1,
    seed: int = 0,
    judge_url: Annotated[str, typer.Option(help="OpenAI-compatible API of a second judge.")] = "",
    judge_model: str = "",
) -> None:
    """Make train, dev and test; parts that the corpus lacks are left out."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    console = Console(highlight=False, markup=False)
    check_writable(output)
    if seed < 0:
        raise ConfigError(f"--seed {seed}, expected at least 0")
    parts = {p: read_manifest(corpus / f"{p}.jsonl") for p in PARTS if (corpus / f"{p}.jsonl").is_file()}
    aligner = Aligner(model, output / ALIGNED)
    files: list[Path] = []
    for part, count in zip(PARTS, (train, dev, test), strict=True):
        if part in parts and count:
            known = parts.get("train", []) if part == "train" else [*parts.get("train", []), *parts[part]]
            maker = Maker(output, part, known, aligner, seed, variants, (judge_url, judge_model))
            files += maker.make(parts[part], count, console)
    card = output / "README.md"
    write_atomically(card, _card(corpus, output))
    write_checksums(output, [*files, card])
    console.print(f"{verify(output)} files in {output}, their checksums in {CHECKSUMS}")


class Maker:
    """Makes one part of the corpus.

    Args:
        output: output folder.
        part: name of the part.
        known: utterances whose texts and translations are the bitext for word translations.
        aligner: aligns the recordings.
        seed: seed for the choice of switch points.
        variants: number of mixtures to try per pair of recordings.
        llm: URL and name of an LLM as second judge; both empty for none.
    """

    def __init__(
        self,
        output: Path,
        part: str,
        known: list[Utterance],
        aligner: Aligner,
        seed: int,
        variants: int,
        llm: tuple[str, str],
    ) -> None:
        self._output, self._part, self._known, self._aligner = output, part, known, aligner
        self._seed, self._variants, self._llm = seed, variants, llm
        self._counts: Counter[str] = Counter()
        (output / part).mkdir(parents=True, exist_ok=True)

    def make(self, utterances: list[Utterance], count: int, console: Console) -> list[Path]:
        """Make at most `count` utterances for each pair of languages; return the files of the part."""
        made: list[tuple[Utterance, AcceptedMixture]] = []
        pairs = parallel_pairs(utterances)
        with Progress(console=console) as progress:
            task = progress.add_task(self._part, total=len(pairs))
            for languages, candidates in pairs.items():
                bitext = Bitext(parallel_texts(self._known, languages), languages)
                judge: Judge = bitext.judges
                if self._llm[0]:
                    judge = LlmJudge(*self._llm, bitext.judges, key=os.environ.get("OPENAI_API_KEY", ""))
                texts: set[str] = set()
                own: list[tuple[Utterance, AcceptedMixture]] = []
                for variant, pair in product(range(self._variants), candidates):
                    if len(own) == count:
                        break
                    found = self._mixed(pair, variant, bitext, judge, texts)
                    own += [found] if found else []
                made += own
                progress.update(task, advance=1, description=f"{self._part} {'-'.join(languages)} {len(own)}")
        manifest, judged = self._output / f"{self._part}.jsonl", self._output / f"{self._part}.{JUDGED}"
        write_manifest([utterance for utterance, _ in made], manifest)
        write_atomically(judged, "".join(_verdict(*pair) for pair in made))
        minutes = sum(utterance.duration_s for utterance, _ in made) / 60
        console.print(f"{self._part}: {len(made)} utterances, {minutes:.1f} minutes; {dict(self._counts)}")
        return [manifest, judged, *[utterance.audio for utterance, _ in made]]

    def _mixed(
        self, pair: tuple[Utterance, Utterance], variant: int, bitext: Bitext, judge: Judge, texts: set[str]
    ) -> tuple[Utterance, AcceptedMixture] | None:
        key = f"{pair[0].id}+{pair[1].id}+{variant}"
        rng = np.random.default_rng([self._seed, int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])])
        target = SHARES[int(rng.integers(len(SHARES)))]
        mixture = generate(bitext.parallel(pair[0].text, pair[1].text), target, rng)
        accepted = None if mixture is None else refine(mixture, judge, target)
        if accepted is None or accepted.mixture.text in texts:
            self._counts["nowhere to switch" if mixture is None else "refused" if accepted is None else "twice"] += 1
            return None
        utterance = self._spoken(pair, accepted, variant)
        self._counts["mended" if accepted.rounds else "accepted at once"] += 1
        if utterance is None:
            self._counts["not clear in the audio"] += 1
            return None
        texts.add(accepted.mixture.text)
        return utterance, accepted

    def _spoken(
        self, sources: tuple[Utterance, Utterance], accepted: AcceptedMixture, variant: int
    ) -> Utterance | None:
        words = [self._aligner(source) for source in sources]
        if words[0] is None or words[1] is None or sum(source.duration_s for source in sources) > 2 * LONGEST_S:
            return None
        both, mixture = (words[0], words[1]), accepted.mixture
        samples = [load_audio(source.audio) for source in sources]
        pieces = [
            RecordingSpan(samples[part.side], both[part.side], part.first, part.last, sources[part.side].language)
            for part in mixture.parts
        ]
        joined, said = splice(pieces)
        name = f"cs-{sources[0].id}-{sources[1].id}-{variant}".replace("/", "_")
        path = self._output / self._part / f"{name}.flac"
        write_flac(path, joined)  # overwrites, as an existing file may be from another seed or model
        return Utterance(
            id=name,
            audio=path.absolute(),
            duration_s=len(joined) / SAMPLE_RATE,
            language=mixture.parallel.languages[mixture.matrix],
            text=mixture.text,
            speaker="+".join(source.speaker for source in sources),
            source="code-switched " + " and ".join(sorted({source.source for source in sources})),
            licence=" and ".join(sorted({source.licence for source in sources})),
            words=tuple(said),
        )


def _verdict(utterance: Utterance, accepted: AcceptedMixture) -> str:
    record = {
        "id": utterance.id,
        "total": round(accepted.verdict.total, 2),
        "scores": {aspect: round(score, 2) for aspect, score in accepted.verdict.scores.items()},
        "rounds": accepted.rounds,
        "faults": [asdict(fault) for fault in accepted.verdict.faults],
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


def _card(corpus: Path, output: Path) -> str:
    lines = ["# Code-switched speech", "", "Spliced from real recordings of single languages; the voice changes with "]
    lines[-1] += "the language. Sentences were made and judged by rule, not heard by anybody."
    lines += ["", "| part | utterances | minutes | languages | sources | licences |", "|---|---|---|---|---|---|"]
    for part in PARTS:
        manifest = output / f"{part}.jsonl"
        if not manifest.is_file():
            continue
        found = read_manifest(manifest)
        codes = sorted({code for utterance in found for code in utterance.languages})
        minutes = sum(utterance.duration_s for utterance in found) / 60
        sources, licences = ({getattr(u, name) for u in found} for name in ("source", "licence"))
        cells = [part, str(len(found)), f"{minutes:.1f}", " ".join(codes)]
        lines.append(f"| {' | '.join([*cells, '; '.join(sorted(sources)), '; '.join(sorted(licences))])} |")
    return "\n".join([*lines, "", f"Made from `{corpus.name}`; the licences of the sources hold.", ""])


if __name__ == "__main__":
    start_command(main)
