"""What a model translates into is what has been measured, in its record and its card."""

import json
import shutil

import pytest

from speech import Recognizer
from speech.data.manifest import read_manifest
from speech.errors import LanguageError, ModelError
from speech.models.checkpoint import load_checkpoint, load_outline
from speech.models.hub import EMBEDDED, locate
from speech.models.translation_targets import TargetScore, check_target, with_section, write_targets
from tests.conftest import CLIPS

GERMAN = TargetScore(chrf=41.5, source_chrf=17.0, utterances=212, sources=("eng", "fra"), data="test.jsonl")


@pytest.fixture
def embedded(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(locate(EMBEDDED), folder)
    return folder


def test_the_embedded_model_translates_into_english_alone_and_says_how_well():
    recognizer = Recognizer.from_pretrained()
    assert recognizer.targets == ("eng",)
    with pytest.raises(LanguageError, match=r"does not translate into French \(fra\). It translates into eng"):
        recognizer.transcribe("any.wav", to="fra")
    section = (locate(EMBEDDED) / "README.md").read_text("utf-8").partition("## Translation")[2]
    (row,) = [line for line in section.splitlines() if line.startswith("| English (eng) | ")]
    chrf, of_the_source = (float(cell) for cell in row.split("|")[2:4])
    assert chrf > of_the_source + 15
    said = {clip.id: recognizer.transcribe(clip.audio, to="eng").text for clip in read_manifest(CLIPS)}
    assert "following message" in said["ast_ru_vm-next"]
    assert "find the person" in said["ast_it_followme-sorry"]


def test_what_is_recorded_can_be_used_and_stands_in_the_card(embedded):
    write_targets(embedded, {"deu": GERMAN})
    write_targets(embedded, {"eng": TargetScore(50.0, 20.0, 99, ("deu",), "test.jsonl")})
    assert load_outline(embedded).targets["deu"] == load_checkpoint(embedded).targets["deu"] == GERMAN
    recognizer = Recognizer.from_pretrained(str(embedded))
    assert recognizer.targets == ("deu", "eng")
    with pytest.raises(LanguageError, match=r"into Spanish .*It translates into deu, eng"):
        recognizer.transcribe("any.wav", to="Spanish")
    card = (embedded / "README.md").read_text("utf-8")
    assert card.count("## Translation") == 1
    assert "| German (deu) | 41.5 | 17.0 | 212 | eng fra | test.jsonl |" in card
    assert "| English (eng) | 50.0 |" in card
    assert "## Language model" in card


def test_a_section_is_replaced_wherever_it_stands():
    card = "# m\n\n## Translation\n\nold\n\n## Data\n\nx\n"
    assert with_section(card, {}) == "# m\n\n## Data\n\nx\n\n## Translation\n\nIt translates into no language.\n"


@pytest.mark.parametrize(
    "translates",
    [
        {"jpn": {"chrf": 40.0, "source_chrf": 20.0, "utterances": 30, "sources": ["eng"], "data": "x"}},  # no token
        {"deu": {"chrf": float("nan"), "source_chrf": 20.0, "utterances": 30, "sources": ["eng"], "data": "x"}},
        {"deu": {"chrf": 40.0, "source_chrf": 20.0, "utterances": 0, "sources": ["eng"], "data": "x"}},
        {"deu": {"chrf": 40.0}},
        {"deu": 40.0},
        ["deu"],
    ],
)
def test_a_record_that_is_none_is_refused(embedded, translates):
    path = embedded / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"translates": translates}), "utf-8")
    with pytest.raises(ModelError, match=r"config\.json: translates"):
        load_outline(embedded)


def test_no_target_is_always_fine():
    check_target(None, {})
    check_target("deu", {"deu": GERMAN})
