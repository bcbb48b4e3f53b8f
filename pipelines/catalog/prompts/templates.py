"""The prompt templates of the service, from `templates.toml`, and the chat that a request for a text means.

No torch, no numpy: the API imports this module.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from core.errors.fields import InvalidRequest, MissingField, OutOfRange, UnknownField
from jobs.params.text import FILM_FRAMES, ChatMessage, TextParams

FILE = Path(__file__).with_name("templates.toml")
FILM = "The last {} pictures are of one film, in order."
"""What is added to the last message of a request with a film."""
MARKDOWN = "Format the answer in Markdown."
"""What is added to the last message of a request for Markdown."""
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class PromptTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt with places in braces, and what stands in those that a caller leaves out (`usual`).

    One that `sees` is about the pictures or the film of the request.
    """

    title: str
    prompt: str
    system: str = ""
    usual: Mapping[str, str] = {}
    sees: bool = False

    @property
    def places(self) -> tuple[str, ...]:
        """The names of its places, in the order of the prompt."""
        return tuple(dict.fromkeys(_PLACE.findall(self.prompt + self.system)))

    @property
    def required(self) -> tuple[str, ...]:
        """The places that a caller must fill."""
        return tuple(place for place in self.places if place not in self.usual)

    def filled(self, variables: Mapping[str, str]) -> tuple[ChatMessage, ...]:
        """Return the chat with these variables in their places. Braces in a variable are text."""
        words = dict(self.usual) | dict(variables)

        def fill(text: str) -> str:
            return _PLACE.sub(lambda place: words[place[1]], text)

        asked = ChatMessage(role="user", content=fill(self.prompt))
        return (ChatMessage(role="system", content=fill(self.system)), asked) if self.system else (asked,)


@cache
def prompt_templates() -> Mapping[str, PromptTemplate]:
    """Return the templates by their names, in the order of the file."""
    return msgspec.convert(tomllib.loads(FILE.read_text("utf-8")), dict[str, PromptTemplate])


def check_conversation(params: TextParams) -> None:
    """Raise `MissingField`, `InvalidRequest`, `OutOfRange` or `UnknownField` unless the request is one chat."""
    ways = {"prompt": params.prompt, "messages": params.messages, "template": params.template}
    given = [name for name, value in ways.items() if value]
    if not given:
        raise MissingField("`prompt` is required, or `messages` or `template` in its place; add it.", field="$.prompt")
    if len(given) > 1:
        named = " and ".join(f"`{name}`" for name in given)
        raise InvalidRequest(f"{named} exclude each other; leave one.", field=f"$.{given[-1]}")
    if params.messages and params.messages[-1].role != "user":
        raise InvalidRequest(
            "The last of `messages` must be the user's, which the model answers.",
            field=f"$.messages[{len(params.messages) - 1}].role",
        )
    if params.template is not None:
        _check_variables(params.template, params.variables)
        if prompt_templates()[params.template].sees and not params.images and params.input_video is None:
            advice = f"The template {params.template} needs something to see; add `images` or `input_video`."
            raise MissingField(advice, field="$.images")
    _check_pictures(params)


def conversation(params: TextParams) -> list[ChatMessage]:
    """Return the chat that the model continues, in which each picture has its place, those of a film the last ones.

    Raises what `check_conversation` raises.
    """
    check_conversation(params)
    if params.template is not None:
        messages = list(prompt_templates()[params.template].filled(params.variables))
    elif params.messages:
        messages = list(params.messages)
    else:
        messages = [ChatMessage(role="user", content=params.prompt or "")]
    frames = 0 if params.input_video is None else FILM_FRAMES
    added = [FILM.format(FILM_FRAMES)] * bool(frames) + [MARKDOWN] * (params.output_format == "md")
    named = {number for message in messages for number in message.images}
    others = tuple(number for number in range(len(params.images) + frames) if number not in named)
    last = messages[-1]
    messages[-1] = msgspec.structs.replace(
        last, content="\n\n".join([last.content, *added]), images=(*last.images, *others)
    )
    return messages


def _check_pictures(params: TextParams) -> None:
    """Raise `OutOfRange` for a message that names a picture that is not there, or one that another has named."""
    named = set[int]()
    for place, message in enumerate(params.messages):
        for number in message.images:
            if number >= len(params.images) or number in named:
                advice = f"`images` has {len(params.images)} pictures, counted from 0; name each in one message."
                raise OutOfRange(advice, field=f"$.messages[{place}].images")
            named.add(number)


def _check_variables(name: str, variables: Mapping[str, str]) -> None:
    template = prompt_templates().get(name)
    if template is None:
        known = ", ".join(prompt_templates())
        raise OutOfRange(f"`template` must be one of {known}.", field="$.template")
    for place in template.required:
        if place not in variables:
            advice = f"The template {name} needs the variable `{place}`; add it to `variables`."
            raise MissingField(advice, field=f"$.variables.{place}")
    for variable in variables:
        if variable not in template.places:
            takes = ", ".join(template.places)
            advice = f"The template {name} has no place for `{variable}`; it has {takes}."
            raise UnknownField(advice, field=f"$.variables.{variable}")
