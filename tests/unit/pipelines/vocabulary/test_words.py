"""Words of a prompt, in whichever form they stand there."""

import pytest

from pipelines.vocabulary.words import named_words, unread_words

KNOWN = {"rain": ["shower"], "footsteps": ["step", "walk"], "engine": ["car"], "applause": ["clap"], "fly": []}


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("Rain!", ["rain"]),
        ("heavy SHOWERS, then a man walking", ["rain", "footsteps"]),
        ("steps; raining; stepping", ["footsteps", "rain"]),
        ("the car's engine", ["engine"]),
        ("clapped, clapping, claps", ["applause"]),
        ("flies", ["fly"]),
        ("rainy", ["rain"]),
        ("a train, a scar, a carry-on, restrained, stepmother", []),
        ("", []),
    ],
)
def test_forms_of_a_word_name_it_and_words_that_hold_it_do_not(prompt, names):
    assert names == named_words(prompt, KNOWN)


def test_what_is_not_read_is_listed_once():
    assert ["tin", "roof"] == unread_words("the sound of rain on a tin roof, a tin roof", KNOWN)
    assert [] == unread_words("rain and footsteps", KNOWN)
