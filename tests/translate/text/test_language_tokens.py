from speech.text.languages import LANGUAGES
from speech.translate.text import language_tokens
from speech.translate.text.language_tokens import prefix_tokens, target_tokens


def test_tokens_of_nllb_and_m2m100_name_languages():
    vocabulary = ["<s>", "▁the", "fra_Latn", "eng_Latn", "__de__", "__ceb__", "fra", "__x__", "qqq_Latn", "▁spa_Latn"]
    assert prefix_tokens(vocabulary) == {
        "fra": "fra_Latn",
        "eng": "eng_Latn",
        "deu": "__de__",
    } | ({"ceb": "__ceb__"} if "ceb" in LANGUAGES else {})


def test_of_several_scripts_the_usual_one_counts():
    assert prefix_tokens(["zho_Hant", "zho_Hans", "arb_Latn", "arb_Arab"]) == {"cmn": "zho_Hans", "ara": "arb_Arab"}
    assert prefix_tokens(["zho_Hans", "zho_Hant"]) == {"cmn": "zho_Hans"}
    assert prefix_tokens(["zho_Hant"]) == {"cmn": "zho_Hant"}


def test_individual_languages_count_as_those_of_our_table():
    found = prefix_tokens(["swh_Latn", "pes_Arab", "lvs_Latn", "npi_Deva", "zsm_Latn"])
    assert set(found) == {"swa", "fas", "lav", "nep", "msa"} & set(LANGUAGES)
    missing = {name for name in language_tokens._IN_OUR_TABLE.values() if name not in LANGUAGES}
    assert missing <= {"sqi", "aze", "est", "mon", "ori", "pus", "mlg", "uzb", "yid"}


def test_tokens_of_opus_name_targets():
    vocabulary = [">>fra<<", ">>pt<<", ">>cmn_Hant<<", ">>cmn_Hans<<", "<<fra>>", ">>qqq<<", "__fr__"]
    assert target_tokens(vocabulary) == {"fra": ">>fra<<", "por": ">>pt<<", "cmn": ">>cmn_Hans<<"}
