"""Where a text is cut into pieces."""

import pytest

from core.errors.fields import OutOfRange
from pipelines.speech.text import clean_text, edge_after, split_text

SENTENCE = "The ship sailed at dawn."


class TestClean:
    def test_space_and_control_characters_are_made_plain(self) -> None:
        assert "Good day, all of you." == clean_text("  Good\tday,\x01 all\r\n\nof  you. ")

    def test_letters_of_every_script_stay(self) -> None:
        assert "größer 你好 नमस्ते 🦊" == clean_text("größer 你好 नमस्ते 🦊")

    @pytest.mark.parametrize("text", ["", "   ", "\n\t", "\x00\x01", "\u3000"])
    def test_a_text_without_words_is_refused(self, text: str) -> None:
        with pytest.raises(OutOfRange) as caught:
            clean_text(text)
        assert "$.text" == caught.value.field


class TestSplit:
    def test_a_short_text_is_one_piece(self) -> None:
        assert [SENTENCE] == split_text(SENTENCE)

    def test_chunks_end_with_sentences_and_are_as_long_as_allowed(self) -> None:
        chunks = split_text(" ".join([SENTENCE] * 30))

        assert all(len(chunk) <= 300 and chunk.endswith("dawn.") for chunk in chunks)
        assert [12, 12, 6] == [chunk.count("ship") for chunk in chunks]

    def test_a_closing_quote_stays_with_its_sentence(self) -> None:
        assert ["“Off we go.”", "He left."] == split_text("“Off we go.” He left.", 15)

    @pytest.mark.parametrize("separator", [".", "!", "?", "…", "...", "?!"])
    def test_other_marks_end_sentences_too(self, separator: str) -> None:
        assert [f"Well{separator}", f"Yes{separator}"] == split_text(f"Well{separator} Yes{separator}", 8)

    def test_a_number_or_an_address_is_not_cut(self) -> None:
        text = "It costs 3.14 at example.com now"
        assert text == " ".join(split_text(text, 20))

    def test_a_long_sentence_is_cut_at_a_comma(self) -> None:
        assert ["one two three,", "four five six"] == split_text("one two three, four five six", 16)

    def test_without_a_comma_at_a_space(self) -> None:
        assert ["one two", "three", "four"] == split_text("one two three four", 8)

    def test_without_a_space_anywhere(self) -> None:
        assert ["aaaaa", "aaaaa", "aa b"] == split_text("a" * 12 + " b", 5)

    def test_chinese_is_cut_without_spaces_and_into_shorter_pieces(self) -> None:
        chunks = split_text("今天天气很好。" * 60)

        assert "今天天气很好。" * 60 == "".join(chunks)
        assert all(len(chunk) <= 100 and chunk.endswith("。") for chunk in chunks)

    @pytest.mark.parametrize("length", [299, 300, 301, 10_000])
    def test_no_word_is_lost_or_said_twice(self, length: int) -> None:
        words = [f"w{number}{'.' if number % 11 == 0 else ',' if number % 7 == 0 else ''}" for number in range(3000)]
        text = " ".join(words)[:length]

        chunks = split_text(text)

        assert text.split() == " ".join(chunks).split()
        assert all(0 < len(chunk) <= 300 for chunk in chunks)


@pytest.mark.parametrize(
    ("chunk", "edge"),
    [("It is.", "pause"), ("of it,", "pause"), ("“Yes!”", "pause"), ("是。", "pause"), ("and so", "cross-fade")],
)
def test_there_is_a_pause_where_the_text_has_one(chunk: str, edge: str) -> None:
    assert edge == edge_after(chunk)
