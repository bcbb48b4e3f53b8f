"""Entities: people, products and styles with pictures, which generate-image takes as `entityIds`."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta
from sqlalchemy import Row

from api.dialects.videogen.ids import from_native, to_native
from api.dialects.videogen.paging import Limit
from api.dialects.videogen.schema import FileId
from api.http.auth import Caller, needs
from api.http.pagination import pack, unpack
from api.operations.entities import EntityOperations, EntityReference, references_of
from api.operations.media_library import MediaLibrary

PREFIX = "vg_enti"
EntityType = Literal["ACTOR", "PRODUCT", "VISUAL_STYLE", "SLIDESHOW_THEME"]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Text = Annotated[str, Meta(max_length=4000)]
TypeFilter = Annotated[EntityType | None, QueryParameter(name="entityType")]


class NewEntity(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A new entity."""

    entity_type: EntityType
    name: Name
    description: Text | None = None


class EntityChange(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The fields to change."""

    name: Name | None = None
    description: Text | None = None


class NewReference(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A picture of an entity, and what is to be seen there."""

    file_id: FileId
    description: Text | None = None
    is_default: bool | None = False


class GoneReference(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The picture to remove from an entity."""

    file_id: FileId


class ReferenceAnswer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A picture of an entity."""

    file_id: str
    description: str
    is_default: bool


class ActorConfig(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What an actor has beside pictures: no voice of its own. One with a picture can be made to speak."""

    voice_display_name: str | None = None
    has_voice: bool = False
    has_avatar_presenter: bool = False


class EntityAnswer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An entity."""

    entity_id: str
    entity_type: str
    name: str
    description: str
    references: list[ReferenceAnswer]
    actor_config: ActorConfig | None
    created_at: int
    updated_at: int
    is_built_in: bool = False


class ArchivedEntity(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to an archive."""

    entity_id: str
    archived: bool = True


class EntityPage(msgspec.Struct, frozen=True, rename="camel"):
    """Entities, newest first."""

    entities: list[EntityAnswer]
    has_more: bool
    next_cursor: str | None


class EntityRoutes(Controller):
    """Routes of entities."""

    path = "/entities"
    opt = needs("media")

    @get()
    async def index(
        self,
        caller: NamedDependency[Caller],
        entities: NamedDependency[EntityOperations],
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
        entity_type: TypeFilter = None,
    ) -> EntityPage:
        """Return your entities."""
        before = unpack(cursor) if cursor else None
        rows, last = await entities.page(caller, type_=entity_type, limit=limit, before=before)
        return EntityPage([_answer(row) for row in rows], last is not None, pack(last) if last is not None else None)

    @post(status_code=200)
    async def create(
        self,
        data: JSONBody[NewEntity],
        caller: NamedDependency[Caller],
        entities: NamedDependency[EntityOperations],
    ) -> EntityAnswer:
        """Add an entity."""
        description = data.description or ""
        return _answer(await entities.add(caller, type_=data.entity_type, name=data.name, description=description))

    @get("/{entity:str}")
    async def show(
        self, entity: FromPath[str], caller: NamedDependency[Caller], entities: NamedDependency[EntityOperations]
    ) -> EntityAnswer:
        """Return an entity."""
        return _answer(await entities.find(caller, to_native(PREFIX, entity)))

    @post("/{entity:str}/update", status_code=200)
    async def change(
        self,
        entity: FromPath[str],
        data: JSONBody[EntityChange],
        caller: NamedDependency[Caller],
        entities: NamedDependency[EntityOperations],
    ) -> EntityAnswer:
        """Change what is sent."""
        changed = await entities.change(caller, to_native(PREFIX, entity), name=data.name, description=data.description)
        return _answer(changed)

    @post("/{entity:str}/archive", status_code=200)
    async def archive(
        self, entity: FromPath[str], caller: NamedDependency[Caller], entities: NamedDependency[EntityOperations]
    ) -> ArchivedEntity:
        """Archive an entity."""
        await entities.archive(caller, to_native(PREFIX, entity))
        return ArchivedEntity(entity)

    @post("/{entity:str}/references", status_code=200)
    async def refer(
        self,
        entity: FromPath[str],
        data: JSONBody[NewReference],
        caller: NamedDependency[Caller],
        entities: NamedDependency[EntityOperations],
        media_library: NamedDependency[MediaLibrary],
    ) -> EntityAnswer:
        """Add a picture to an entity."""
        picture = await media_library.find(caller, to_native("vg_file", data.file_id))
        reference = EntityReference(
            media_id=picture.id,
            description=data.description or "",
            is_default=bool(data.is_default),
        )
        return _answer(await entities.refer(caller, to_native(PREFIX, entity), reference))

    @post("/{entity:str}/references/remove", status_code=200)
    async def unrefer(
        self,
        entity: FromPath[str],
        data: JSONBody[GoneReference],
        caller: NamedDependency[Caller],
        entities: NamedDependency[EntityOperations],
    ) -> EntityAnswer:
        """Remove a picture from an entity."""
        media_id = to_native("vg_file", data.file_id)
        return _answer(await entities.unrefer(caller, to_native(PREFIX, entity), media_id))


def _answer(row: Row[Any]) -> EntityAnswer:
    references = references_of(row)
    return EntityAnswer(
        entity_id=from_native(PREFIX, row.id),
        entity_type=row.type,
        name=row.name,
        description=row.description,
        references=[
            ReferenceAnswer(
                file_id=from_native("vg_file", one.media_id), description=one.description, is_default=one.is_default
            )
            for one in references
        ],
        actor_config=ActorConfig(has_avatar_presenter=bool(references)) if row.type == "ACTOR" else None,
        created_at=int(row.created_at.timestamp()),
        updated_at=int(row.updated_at.timestamp()),
    )
