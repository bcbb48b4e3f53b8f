"""Prompt templates, and the chat that a request means."""

import pytest

from core.errors.fields import InvalidRequest, MissingField, OutOfRange, UnknownField
from jobs.params.text import ChatMessage, TextParams
from pipelines.catalog.prompts.templates import (
    FILM,
    MARKDOWN,
    check_conversation,
    conversation,
    prompt_templates,
)

HELLO = ChatMessage(role="user", content="hello")
ANSWER = ChatMessage(role="assistant", content="good morning")


@pytest.mark.parametrize("name", prompt_templates())
def test_every_template_fills_all_of_its_places(name):
    template = prompt_templates()[name]
    words = {place: f"<{place}>" for place in template.required}
    asked = conversation(TextParams(template=name, variables=words, images=("a",) * template.sees))
    text = " ".join(message.content for message in asked)
    assert "user" == asked[-1].role
    for place in template.places:
        assert words.get(place, template.usual.get(place)) in text
    assert "{" not in text
    assert template.usual.keys() <= set(template.places)
    assert template.title


def test_the_pictures_of_a_film_come_last():
    (*_, asked) = conversation(TextParams(template="description", images=("a", "b"), input_video="c"))
    assert (0, 1, 2, 3, 4, 5) == asked.images
    assert asked.content.endswith(f"\n\n{FILM.format(4)}")


def test_a_template_that_sees_needs_something_to_see():
    with pytest.raises(MissingField, match="add `images` or `input_video`"):
        check_conversation(TextParams(template="description"))


def test_braces_in_a_variable_are_text():
    asked = conversation(TextParams(template="translation", variables={"language": "{text}", "text": "{language}"}))
    assert "to {text}:\n\n{language}" in asked[-1].content


def test_a_prompt_is_the_message_of_a_user():
    assert [HELLO] == conversation(TextParams(prompt="hello"))


def test_markdown_is_asked_for_in_the_last_message():
    asked = conversation(TextParams(messages=(HELLO, ANSWER, HELLO), output_format="md"))
    assert [HELLO, ANSWER] == asked[:2]
    assert f"hello\n\n{MARKDOWN}" == asked[2].content


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({}, MissingField, "$.prompt"),
        ({"prompt": "a", "messages": (HELLO,)}, InvalidRequest, "$.messages"),
        ({"prompt": "a", "template": "caption"}, InvalidRequest, "$.template"),
        ({"messages": (HELLO, ANSWER)}, InvalidRequest, "$.messages[1].role"),
        ({"template": "nonsense"}, OutOfRange, "$.template"),
        ({"template": "caption"}, MissingField, "$.variables.subject"),
        ({"template": "caption", "variables": {"subject": "a", "color": "red"}}, UnknownField, "$.variables.color"),
    ],
)
def test_what_is_no_chat_is_refused(fields, error, field):
    with pytest.raises(error) as refused:
        check_conversation(TextParams(**fields))
    assert (error.code, field) == (refused.value.code, refused.value.field)
