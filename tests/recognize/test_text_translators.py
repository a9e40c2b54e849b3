import pytest

from speech.errors import ConfigError, ModelError
from speech.recognize.text_translators import KEY, open_translator
from speech.translate.text.ctranslate2_model import CTranslate2Translator
from tests.chat_server import chatting
from tests.tiny_translators import save_marian


def test_a_directory_is_a_model_of_ctranslate2(tmp_path):
    folder = save_marian(tmp_path / "model=1")
    translator = open_translator(f"{folder}=spa:fra")
    assert isinstance(translator, CTranslate2Translator)
    assert (translator.sources, translator.targets) == (("spa",), ("fra",))
    assert isinstance(translator.translate(["el perro"], "spa", "fra")[0], str)


def test_an_address_is_a_chat_endpoint_whose_key_is_in_the_environment():
    with chatting() as server:
        translator = open_translator(f"{server.url}=eng:fra", "tiny", {KEY: "sk-x"})
        assert translator.translate(["dog"], "eng", "fra") == ["FRENCH:DOG"]
        assert server.headers[0]["Authorization"] == "Bearer sk-x"
        open_translator(f"{server.url}=eng:fra", "tiny", {KEY: ""}).translate(["dog"], "eng", "fra")
        assert "Authorization" not in server.headers[1]


@pytest.mark.parametrize(
    ("text", "model", "said"),
    [
        ("http://127.0.0.1:1/v1", "tiny", "does not name its languages"),
        ("http://127.0.0.1:1/v1=eng:fra", None, "needs the name of a model"),
        ("", None, "without a name"),
    ],
)
def test_what_is_missing_is_named(text, model, said):
    with pytest.raises(ConfigError, match=said):
        open_translator(text, model, {})


def test_a_model_beside_a_directory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'tiny' without an endpoint"):
        open_translator(str(tmp_path), "tiny", {})


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match="no such model"):
        open_translator(str(tmp_path / "none"))
