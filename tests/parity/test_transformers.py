"""The same numbers and the same text as the published Whisper in transformers, with the same random weights (it comes
with the extra `espnet`)."""

from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from safetensors.torch import save_file

from speech.decode.label.suppression import Suppression, TimestampRules
from speech.decode.words.language_id import next_token_posterior
from speech.models.importers.whisper import import_whisper, load_whisper_encoder
from speech.nn.encoder.whisper import WhisperEncoderConfig
from tests.published_whisper import LANGUAGES, tokenizer_json, vocabulary_of, write_json

transformers = pytest.importorskip("transformers", reason="extra `espnet`")
pytestmark = pytest.mark.filterwarnings("ignore")

CLOSE = {"atol": 1e-4, "rtol": 1e-4}
SECONDS = 30
HEADS = [(0, 1), (1, 3), (1, 0)]
SUPPRESSED, FIRST = [7, 9, 300], [220]
GREEDY = {"max_new_tokens": 24, "num_beams": 1, "do_sample": False}


def published(
    folder: Path, bins: int = 80, decoder_layers: int = 2, shards: bool = False, english: bool = False
) -> Path:
    """A random model as the library writes it; the decoder need not be as deep as the encoder."""
    data = tokenizer_json()
    start = tokenizers.Tokenizer.from_str(data.decode()).token_to_id("<|startoftranscript|>")
    end, vocabulary = start - 1, vocabulary_of(data)
    config = transformers.WhisperConfig(
        vocab_size=vocabulary, num_mel_bins=bins, d_model=32, encoder_layers=3, decoder_layers=decoder_layers,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=40,
        max_target_positions=64, decoder_start_token_id=start, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        suppress_tokens=None, begin_suppress_tokens=None, attn_implementation="eager",
    )  # fmt: skip
    torch.manual_seed(bins + decoder_layers)
    model = transformers.WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():  # the library's own are so small that every text is the same
        for name, parameter in model.named_parameters():
            if "encoder.embed_positions" not in name:
                parameter.copy_(torch.randn_like(parameter) * (1.0 if "decoder.embed_positions" in name else 0.25))
    model.save_pretrained(folder, max_shard_size="60KB" if shards else "1GB")
    assert (folder / "model.safetensors.index.json").is_file() == shards
    (folder / "tokenizer.json").write_bytes(data)
    first = start + 1
    codes = {} if english else {f"<|{code}|>": first + n for n, code in enumerate(LANGUAGES)}
    tokens = {"translate": first + len(LANGUAGES), "transcribe": first + len(LANGUAGES) + 1}
    record = {
        "decoder_start_token_id": start, "pad_token_id": end, "bos_token_id": end, "eos_token_id": end,
        "suppress_tokens": SUPPRESSED, "begin_suppress_tokens": [*FIRST, end], "is_multilingual": not english,
        "alignment_heads": [list(head) for head in HEADS if head[0] < decoder_layers],
        "no_timestamps_token_id": vocabulary - 1502, "max_length": 64, "max_initial_timestamp_index": 50,
        **({} if english else {"lang_to_id": codes, "task_to_id": tokens}),
    }  # fmt: skip
    write_json(folder / "generation_config.json", record)
    return folder


@pytest.fixture(
    scope="module",
    params=[{}, {"bins": 128, "decoder_layers": 1, "shards": True}],
    ids=["80 mel", "128 mel, smaller decoder, shards"],
)
def both(request, tmp_path_factory):
    """Theirs, ours, our tokenizer, and the features that theirs hears."""
    folder = published(tmp_path_factory.mktemp("published") / "model", **request.param)
    theirs = transformers.WhisperForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
    extractor = transformers.WhisperFeatureExtractor(feature_size=theirs.config.num_mel_bins)
    return theirs, *import_whisper(folder), extractor


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    """`(2, 30 s)`, the second mostly silence."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(2, SECONDS * 16000)) * np.linspace(0.001, 0.3, SECONDS * 16000)
    found[1, 40000:] = 0
    return found.astype(np.float32)


def features_of(extractor, samples: np.ndarray) -> torch.Tensor:
    return extractor(list(samples), sampling_rate=16000, return_tensors="pt").input_features  # (batch, bins, 3000)


def encoded(model, samples: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return model.encode(torch.from_numpy(samples), torch.full((len(samples),), samples.shape[1]))


@torch.no_grad()
def test_log_mel(both, samples):
    _, ours, _, extractor = both
    found, lengths = ours.log_mel(torch.from_numpy(samples), torch.full((2,), samples.shape[1]))
    assert lengths.tolist() == [3000, 3000]
    torch.testing.assert_close(found.transpose(1, 2), features_of(extractor, samples), **CLOSE)


@torch.no_grad()
def test_frames_of_the_encoder(both, samples):
    theirs, ours, _, extractor = both
    expected = theirs.model.encoder(features_of(extractor, samples)).last_hidden_state
    torch.testing.assert_close(encoded(ours, samples)[0], expected, **CLOSE)


@torch.no_grad()
def test_logits_of_a_text(both, samples):
    theirs, ours, _, extractor = both
    tokens = torch.randint(0, ours.config.decoder.vocabulary, (2, 64), generator=torch.Generator().manual_seed(0))
    expected = theirs(input_features=features_of(extractor, samples), decoder_input_ids=tokens).logits
    torch.testing.assert_close(ours.decoder(tokens, *encoded(ours, samples)), expected, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("hypotheses", [1, 3])
def test_attention_of_heads(both, samples, hypotheses):
    """Of two utterances in several hypotheses each, written in pieces, behind hypotheses that were reordered."""
    theirs, ours, _, extractor = both
    heads = ours.config.alignment_heads
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, ours.config.decoder.vocabulary, (2 * hypotheses, 9), generator=generator)
    order = torch.tensor([n for one in range(2) for n in reversed(range(one * hypotheses, (one + 1) * hypotheses))])
    features = features_of(extractor, samples).repeat_interleave(hypotheses, 0)
    wanted = theirs(input_features=features, decoder_input_ids=tokens[order], output_attentions=True)
    expected = torch.stack([wanted.cross_attentions[layer][:, head] for layer, head in heads], dim=1)
    state = ours.begin(*encoded(ours, samples))
    rows = torch.arange(2).repeat_interleave(hypotheses)
    _, state, first = ours.step(tokens[:, :4], state.select(rows), heads)
    x, _, second = ours.step(tokens[order, 4:], state.select(order), heads)
    torch.testing.assert_close(torch.cat([first[order], second], dim=2), expected, **CLOSE)
    torch.testing.assert_close(ours.logits(x), wanted.logits[:, 4:], **CLOSE)


@torch.no_grad()
def written(model, tokenizer, prompt: list[int], frames, rules, most: int = 24) -> list[list[int]]:
    """The likeliest next token again and again, of every utterance until it ends."""
    state, rows = model.begin(*frames), len(frames[0])
    texts: list[list[int]] = [[] for _ in range(rows)]
    tokens = torch.tensor([prompt] * rows)
    for _ in range(most):
        x, state, _ = model.step(tokens, state)
        logits = model.logits(x[:, -1])
        for rule in rules:
            logits = rule(logits, texts)
        tokens = logits.argmax(-1, keepdim=True)
        for text, token in zip(texts, tokens[:, 0].tolist(), strict=True):
            text.append(token)
    return [text[: text.index(tokenizer.end)] if tokenizer.end in text else text for text in texts]


@torch.no_grad()
@pytest.mark.parametrize(("language", "code"), [("de", "deu"), ("zh", "cmn")])
def test_greedy_text(both, samples, language, code):
    """Without timestamps: where one is written all the same, the library hears the rest again, which is not wanted."""
    theirs, ours, tokenizer, extractor = both
    never = [*ours.config.suppressed, *range(tokenizer.first_timestamp, ours.config.decoder.vocabulary)]
    expected = theirs.generate(
        features_of(extractor, samples), language=language, task="transcribe", suppress_tokens=never, **GREEDY
    )
    prompt = tokenizer.prompt(code)
    found = written(ours, tokenizer, prompt, encoded(ours, samples), [Suppression(never, ours.config.suppressed_first)])
    assert len(set(found[0])) > 3  # a text of one token for ever would prove nothing
    assert found == [without_padding(row, prompt, tokenizer.end) for row in expected.tolist()]


@torch.no_grad()
def test_greedy_text_with_timestamps(both, samples):
    theirs, ours, tokenizer, extractor = both
    prompt = tokenizer.prompt("deu")[:-1]
    generation = transformers.generation
    settings = transformers.GenerationConfig.from_dict(theirs.generation_config.to_dict())
    settings.suppress_tokens = settings.begin_suppress_tokens = None
    rules = [
        generation.SuppressTokensLogitsProcessor(ours.config.suppressed),
        generation.SuppressTokensAtBeginLogitsProcessor(ours.config.suppressed_first, len(prompt)),
        generation.WhisperTimeStampLogitsProcessor(settings, len(prompt)),
    ]
    expected = transformers.GenerationMixin.generate(
        theirs, features_of(extractor, samples), decoder_input_ids=torch.tensor([prompt] * 2),
        generation_config=settings, logits_processor=generation.LogitsProcessorList(rules), **GREEDY,
    )  # fmt: skip
    own = [
        Suppression(ours.config.suppressed, ours.config.suppressed_first),
        TimestampRules(first=tokenizer.first_timestamp, end=tokenizer.end),
    ]
    found = written(ours, tokenizer, prompt, encoded(ours, samples), own)
    assert sum(token >= tokenizer.first_timestamp for token in found[0]) > 2
    assert found == [without_padding(row, prompt, tokenizer.end) for row in expected.tolist()]


def without_padding(row: list[int], prompt: list[int], end: int) -> list[int]:
    """What the library gives back, with or without the prompt in front of it."""
    text = row[len(prompt) :] if row[: len(prompt)] == prompt else row
    return text[: text.index(end)] if end in text else text


@torch.no_grad()
def test_language(both, samples):
    theirs, ours, tokenizer, extractor = both
    detected = theirs.detect_language(features_of(extractor, samples))
    x, _, _ = ours.step(torch.full((2, 1), tokenizer.start), ours.begin(*encoded(ours, samples)))
    posterior = next_token_posterior(ours.logits(x[:, -1]), list(tokenizer.languages.values()))
    assert torch.tensor(list(tokenizer.languages.values()))[posterior.argmax(1)].tolist() == detected.flatten().tolist()
    start = torch.full((2, 1), tokenizer.start)
    logits = theirs(input_features=features_of(extractor, samples), decoder_input_ids=start).logits[:, -1]
    languages = [theirs.generation_config.lang_to_id[f"<|{code}|>"] for code in LANGUAGES]
    torch.testing.assert_close(posterior, logits[:, languages].softmax(-1), **CLOSE)


@torch.no_grad()
def test_english_alone(tmp_path, samples):
    folder = published(tmp_path / "model", english=True)
    theirs = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    extractor = transformers.WhisperFeatureExtractor()
    ours, tokenizer = import_whisper(folder)
    assert ours.config.english_only
    prompt = tokenizer.prompt("eng")
    never = [*ours.config.suppressed, *range(tokenizer.first_timestamp, ours.config.decoder.vocabulary)]
    expected = theirs.generate(features_of(extractor, samples), suppress_tokens=never, **GREEDY)
    found = written(ours, tokenizer, prompt, encoded(ours, samples), [Suppression(never, ours.config.suppressed_first)])
    assert len(set(found[0])) > 3
    assert found == [without_padding(row, prompt, tokenizer.end) for row in expected.tolist()]


@pytest.mark.parametrize("seed", range(60))
def test_timestamp_rules(seed):
    """Against the library's, on texts that are written with them step by step."""
    generator = torch.Generator().manual_seed(seed)
    end, first, vocabulary = 20, 30, 30 + 120
    settings = transformers.GenerationConfig(eos_token_id=end, bos_token_id=end, no_timestamps_token_id=first - 1)
    settings.max_initial_timestamp_index = 50
    theirs = transformers.generation.WhisperTimeStampLogitsProcessor(settings, begin_index=2)
    ours = TimestampRules(first=first, end=end)
    texts: list[list[int]] = [[], []]
    for _ in range(14):
        logits = torch.randn(2, vocabulary, generator=generator) * 3
        logits[:, first:] -= torch.rand(2, 1, generator=generator) * 6
        expected = theirs(torch.tensor([[0, 1, *text] for text in texts]), logits.clone())
        found = ours(logits, texts)
        assert torch.equal(found.isneginf(), expected.isneginf())
        kept = ~found.isneginf()
        assert torch.equal(found[kept], logits[kept])
        if not bool(kept.any(dim=1).all()):
            return
        for text, token in zip(
            texts, found.softmax(-1).multinomial(1, generator=generator)[:, 0].tolist(), strict=True
        ):
            text.append(token)


@torch.no_grad()
def test_the_encoder_alone_starts_a_training(both, tmp_path):
    theirs, ours, _, _ = both
    save_file({name: value.contiguous() for name, value in theirs.model.encoder.state_dict().items()}, tmp_path / "w")
    encoder = WhisperEncoderConfig(bins=ours.config.encoder.bins, dim=32, layers=3, heads=4, hidden=48).build()
    load_whisper_encoder(encoder, tmp_path / "w")
    assert torch.equal(encoder.layers[2].attention.value.weight, ours.encoder.layers[2].attention.value.weight)
