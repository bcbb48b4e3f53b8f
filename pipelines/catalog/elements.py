"""Elements of a request: what `@name` in its prompt means to a model that takes reference images. No torch."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from jobs.params.image import ImageParams
from jobs.params.media import ELEMENTS, Element, media_of
from pipelines.catalog.requirements import takes_input_as_reference
from pipelines.catalog.spec import ModelSpec

T = TypeVar("T")


class ResolvedElements(msgspec.Struct, frozen=True):
    """A request without elements: its parameters, and the names of its references by those of the elements' inputs."""

    params: ImageParams
    names: Mapping[str, str]

    def renamed(self, files: Mapping[str, T]) -> dict[str, T]:
        """Return inputs by the names that a model knows."""
        return {self.names.get(name, name): file for name, file in files.items()}


def resolve_elements(spec: ModelSpec, params: ImageParams) -> ResolvedElements:
    """Return the request with the elements as further reference images, and in its prompt what they are.

    `@chair` becomes the description and the numbers of its images, `a velvet chair (images 2 and 3)`, counted as the
    model gets them. What the prompt does not name is said behind it.
    """
    media = [medium.name for medium in media_of(params)]
    offset, before = len(params.reference_images), int("input_image" in media and takes_input_as_reference(spec))
    names = {name: f"reference_images.{offset + place}" for place, name in enumerate(filter(_is_element, media))}
    numbers: list[list[int]] = [[] for _ in params.elements]
    for place, name in enumerate(names, offset + before + 1):
        numbers[int(name.split(".")[1])].append(place)
    prompt = params.prompt
    for element, images in zip(params.elements, numbers, strict=True):
        prompt = _with_element(prompt, element, images)
    references = (*params.reference_images, *("" for _ in names))
    replaced = msgspec.structs.replace(params, prompt=prompt, reference_images=references, elements=())
    return ResolvedElements(replaced, names)


def _with_element(prompt: str, element: Element, images: Sequence[int]) -> str:
    listed = " and ".join(map(str, images)) if len(images) < 3 else f"{images[0]} to {images[-1]}"
    meaning = f"{element.description.rstrip('.')} ({'image' if len(images) == 1 else 'images'} {listed})"
    named = re.compile(rf"@{re.escape(element.name)}(?![A-Za-z0-9_-])")
    if named.search(prompt) is None:
        return f"{prompt.rstrip()} {element.name}: {meaning}."
    return named.sub(lambda _: meaning, prompt)


def _is_element(name: str) -> bool:
    return name.startswith(f"{ELEMENTS}.")
