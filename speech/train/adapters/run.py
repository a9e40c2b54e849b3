"""Adapts a model with about an hour of speech: corpus -> tuning -> steps -> best step per language -> table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from torch.utils.data import ChainDataset

from speech.data.batches import EvalBatches, SpeechBatch
from speech.data.manifest import Utterance, read_manifest
from speech.data.reading import Tally
from speech.errors import DataError
from speech.files import write_atomically
from speech.models.adapters.file import FOLDER, fingerprint
from speech.models.adapters.merge import rank
from speech.models.checkpoint import load_checkpoint
from speech.models.hub import locate
from speech.models.owsm_ctc import OwsmCtcOutput
from speech.text.normalize import plain_text
from speech.train.adapters.config import AdaptConfig, Method
from speech.train.adapters.language_batches import LanguageBatches
from speech.train.adapters.module import CHECKPOINTS, SCORES, AdaptModule, read_scores
from speech.train.adapters.report import AdaptReport, draw_scores
from speech.train.adapters.start import LanguagePart, build_tuning, language_part
from speech.train.adapters.tuning import Scores, Tuning, trained_parameters
from speech.train.asr.corpus import read_corpus
from speech.train.asr.evaluate import ScoreRow, ScoreTable, evaluate
from speech.train.loop.run import RunSpeech, begin, fit, record_config
from speech.train.loop.state import steps_done

REPORT, CURVE = "report.json", "dev_scores.png"


@dataclass(frozen=True, slots=True)
class Best:
    """Steps with the lowest error rate on dev."""

    of: Mapping[str, int]
    """Code -> best step of the language."""
    common: int
    """Best step in the mean over languages."""


def adapt(config: AdaptConfig) -> AdaptReport:
    """Adapt a model to one or several languages, or resume the run in the output folder.

    Raises:
        ConfigError, DataError, FileError, ModelError: before the first step, if an input is invalid.
        TrainingError, DataError, FileError: if training cannot continue; `last.ckpt` is from an earlier step.
    """
    config = replace(config, data=replace(config.data, languages=config.languages))
    output = begin(config)
    done = steps_done(config, output)
    folder = locate(config.base)
    base = load_checkpoint(folder)
    corpus = _corpus(config)
    parts = {code: language_part(config, code, corpus["train"], base.tokenizer) for code in config.languages}
    tuning = build_tuning(config, base, fingerprint(folder), parts, resumed=done > 0)
    config = taking_turns(config, shared=tuning.shared)
    record_config(config, output)
    tokenizers = {code: part.tokenizer for code, part in parts.items()}
    module = AdaptModule(base.model, tuning, config, tokenizers, corpus["dev"], output)
    if not done:
        (output / SCORES).unlink(missing_ok=True)
    fit(config, module, partial(_read_speech, config, parts, corpus["dev"]), output, done, score_start=True)
    scores = read_scores(output / SCORES)
    best = best_steps(scores)
    draw_scores(scores, best.of, output / CURVE)
    return _report(config, module, tuning, best, corpus, output)


def taking_turns(config: AdaptConfig, *, shared: bool) -> AdaptConfig:
    """Make a step take one batch per language; with shared parameters, make each batch a step of its own."""
    settings, turns = config.trainer, len(config.languages)
    if not shared:
        return replace(config, trainer=replace(settings, accumulate=turns))
    names = ("max_steps", "validate_every", "checkpoint_every")
    return replace(config, trainer=replace(settings, **{name: getattr(settings, name) * turns for name in names}))


def _corpus(config: AdaptConfig) -> dict[str, list[Utterance]]:
    """Read the corpus, without hidden transcripts and with pseudo-labels; checks that each part has every language.

    Raises:
        DataError: if a language has no speech or no text in a part.
    """
    corpus = read_corpus(config)
    corpus["train"] = [u for u in corpus["train"] if not is_hidden(u, config.hidden)]
    if config.pseudo:
        path = Path(config.pseudo)
        taught = read_manifest(path, Path(config.data.root))
        corpus["train"] += [u for u in taught if u.language in config.languages]
    for part, utterances in corpus.items():
        missing = set(config.languages) - {u.language for u in utterances}
        if missing:
            raise DataError(f"{part} has no speech in {', '.join(sorted(missing))}", where=config.data.root)
        silent = set(config.languages) - {u.language for u in utterances if u.text.strip()}
        if silent:
            raise DataError(f"{part} has no text in {', '.join(sorted(silent))}", where=config.data.root)
    return corpus


def is_hidden(utterance: Utterance, share: float) -> bool:
    """Whether an utterance's transcript is hidden; decided by a hash of its id."""
    return int.from_bytes(sha256(f"hidden {utterance.id}".encode()).digest()[:4]) < share * 2**32


def _read_speech(
    config: AdaptConfig, parts: Mapping[str, LanguagePart], dev: Sequence[Utterance]
) -> RunSpeech[SpeechBatch]:
    """The speech of all languages as monolingual batches."""
    unreadable = Tally("dev", len(dev), config.data.max_unreadable)
    tally = Tally("train", sum(len(p.utterances) for p in parts.values()), config.data.max_unreadable)
    scored = [
        EvalBatches(
            [u for u in dev if u.language == code],
            part.tokenizer,
            config.data.batches.batch_s,
            plain_text,
            language_given=True,
            unreadable=unreadable,
        )
        for code, part in parts.items()
    ]
    batches = LanguageBatches([part.batches for part in parts.values()], config.variants)
    return RunSpeech(batches, ChainDataset(scored), tally, config.data.workers)


def best_steps(scores: Mapping[int, Mapping[str, Scores]]) -> Best:
    """Each language's best step on dev, and the best common step, ranked as in the merging of adapter files."""

    def mean(step: int) -> tuple[float, float]:
        characters, words, _ = zip(*map(rank, scores[step].values()), strict=True)
        return sum(characters) / len(characters), sum(words) / len(words)

    steps = sorted(scores)  # the earlier step wins a tie
    own = {code: min(steps, key=lambda step: rank(scores[step][code])) for code in scores[steps[0]]}
    return Best(own, min(steps, key=mean))


def _report(
    config: AdaptConfig,
    module: AdaptModule,
    tuning: Tuning,
    best: Best,
    corpus: Mapping[str, list[Utterance]],
    output: Path,
) -> AdaptReport:
    """Write each language's best adapter to `adapters/`; score base, best common step and own best steps on test."""
    tables: dict[str, ScoreTable] = {}
    steps = {"base": dict.fromkeys(best.of, 0), "common": dict.fromkeys(best.of, best.common), "own": best.of}
    if config.evaluate:
        for name, chosen in steps.items():
            unreadable = Tally("test", len(corpus["test"]), config.data.max_unreadable)
            tables[name] = _tested(module, tuning, chosen, corpus["test"], output, unreadable)
    scores = read_scores(output / SCORES)
    for code, step in best.of.items():
        tuning.load(output / CHECKPOINTS / f"{step:06d}", code)
        found = dict(scores[step][code])
        if tables:
            row = tables["own"].rows[code]
            tested = {"test_wer": row.errors.rate, "test_cer": row.characters.rate}
            found |= {name: round(rate, 5) for name, rate in tested.items() if math.isfinite(rate)}
        if config.method != Method.whole:
            tuning.save(output / FOLDER, code, found)
    report = AdaptReport(
        method=config.method,
        parameters=trained_parameters(tuning, config.languages),
        share=trained_parameters(tuning, config.languages) / sum(p.numel() for p in module.model.parameters()),
        steps=dict(best.of),
        common=best.common,
        tables=tables,
        adapters=output / FOLDER,
    )
    write_atomically(output / REPORT, json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n")
    return report


def _tested(
    module: AdaptModule,
    tuning: Tuning,
    steps: Mapping[str, int],
    test: Sequence[Utterance],
    output: Path,
    unreadable: Tally,
) -> ScoreTable:
    def hear(batch: SpeechBatch) -> OwsmCtcOutput:
        return module.hear(batch, *module.model.features(batch.samples, batch.sample_lengths))

    rows: dict[str, ScoreRow] = {}
    module.eval()
    for code, step in steps.items():
        tuning.load(output / CHECKPOINTS / f"{step:06d}", code)
        own = [u for u in test if u.language == code]
        tokenizer = module.tokenizers[code]
        rows |= evaluate(module.model, tokenizer, own, language_given=True, hear=hear, unreadable=unreadable).rows
    return ScoreTable(rows)
