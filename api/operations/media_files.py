"""Files of the media library on their way in: what their senders say, and from this machine to the store."""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

import msgspec
from msgspec import Meta

from api.http.msgspec_errors import refusal
from core.errors.fields import NulInText, WrongType
from core.storage.store import Store
from jobs.library_types import LOOK, FileType, identify
from jobs.media import LibraryKind
from jobs.params.base import Labels

FORM_FIELDS = ("filename", "content_type", "kind", "description", "tags", "labels", "temporary", "transcript")
"""The fields of a form beside its file."""

NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL in JSON: after an even number of backslashes, since a text may have those six characters."""

Tag = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]
Tags = Annotated[tuple[Tag, ...], Meta(max_length=50, description="Up to 50 tags, to filter by and to search for.")]
Filename = Annotated[str, Meta(min_length=1, max_length=255, description="The name that the file is saved under.")]
Description = Annotated[str, Meta(max_length=4000, description="What is in it, to search for.")]


class MediaFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What its sender says of a file of the media library."""

    filename: Filename | None = None
    content_type: Annotated[str, Meta(max_length=255, description="The media type that the file must have.")] | None = (
        None
    )
    kind: Annotated[LibraryKind, Meta(description="What the file must be.")] | None = None
    description: Description | None = None
    tags: Tags = ()
    labels: Labels = {}
    temporary: Annotated[bool, Meta(description="Delete it after 24 hours; lists leave it out.")] = False
    transcript: Annotated[Any, Meta(description="What is said in it: any JSON; its texts are searched.")] = None


class SaidOfMedia(TypedDict, total=False):
    """The fields of `MediaFacts`, as keyword arguments."""

    filename: str | None
    content_type: str | None
    kind: LibraryKind | None
    description: str | None
    tags: tuple[str, ...]
    labels: dict[str, str]
    temporary: bool
    transcript: Any


class MediaChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of an item; what is left out stays."""

    filename: Filename | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType | None = msgspec.UNSET
    tags: Tags | msgspec.UnsetType = msgspec.UNSET
    labels: Labels | msgspec.UnsetType = msgspec.UNSET

    def values(self) -> dict[str, Any]:
        """Return the columns that change. Raises `NulInText`."""
        changed = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not msgspec.UNSET
        }
        return clean_values(changed)


def facts_of(said: SaidOfMedia) -> MediaFacts:
    """Return what a sender says, checked. Raises the precise `InvalidRequest`."""
    try:
        return msgspec.convert(said, MediaFacts)
    except msgspec.ValidationError as error:
        raise refusal(error, MediaFacts) from None


def form_facts(texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the fields of `MediaFacts` in the texts of a form. Raises the precise `InvalidRequest`.

    `tags` may be there several times, or once with commas or as a JSON array; `labels` and `transcript` are JSON.
    """
    facts: dict[str, Any] = {}
    for name, (*others, last) in texts.items():
        if name in ("labels", "transcript") or (name == "tags" and last.startswith("[")):
            try:
                facts[name] = msgspec.json.decode(last)
            except msgspec.DecodeError:
                raise WrongType(f"`{name}` must be JSON in a form.", field=f"$.{name}") from None
        elif name == "tags":
            facts[name] = [tag for text in (*others, last) for tag in text.split(",") if tag.strip()]
        elif name == "temporary":
            facts[name] = last.strip().lower() in ("true", "1", "yes", "on")
        elif last:
            facts[name] = last
    return facts


def columns_of(facts: MediaFacts) -> dict[str, Any]:
    """Return the columns of an item of which nothing is known but what its sender says. Raises `NulInText`."""
    names = ("filename", "kind", "description", "tags", "labels", "temporary", "transcript")
    values = {name: value for name in names if (value := getattr(facts, name)) not in (None, (), {})}
    return clean_values(values | {"media_type": facts.content_type})


def clean_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return columns with each tag once and a file name without folders. Raises `NulInText`."""
    for name, value in values.items():
        if NUL.search(msgspec.json.encode(value)):
            raise NulInText(f"Remove the NUL character (U+0000) from `{name}`.", field=f"$.{name}")
    cleaned = dict(values)
    if "tags" in values:
        cleaned["tags"] = list(dict.fromkeys(tag.strip() for tag in values["tags"]))
    if values.get("filename"):
        cleaned["filename"] = values["filename"].replace("\\", "/").rpartition("/")[2] or "file"
    return cleaned


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the store: what it is and where."""

    type: FileType
    key: str
    bytes: int
    sha256: str


async def store_file(store: Store, prefix: str, file: Path, facts: MediaFacts) -> StoredFile:
    """Store a file below `prefix`, under its digest. Raises what `identify` raises, and `StorageUnavailable`."""
    return await asyncio.to_thread(_store, store, prefix, file, facts)


def _store(store: Store, prefix: str, file: Path, facts: MediaFacts) -> StoredFile:
    with file.open("rb") as content:
        found = identify(content.read(LOOK), content_type=facts.content_type, filename=facts.filename, kind=facts.kind)
        content.seek(0)
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    key = f"{prefix}{digest}.{found.extension}"
    store.put(key, file, found.media_type)
    return StoredFile(type=found, key=key, bytes=file.stat().st_size, sha256=digest)
