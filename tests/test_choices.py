"""What users choose from."""

from speech.choices import Cut, Precision, Storage


def test_what_can_be_chosen_names_itself():
    for kind in (Precision, Cut, Storage):
        assert all(choice.name == choice.value for choice in kind)
