"""What there is to choose from, whose key this is, and what this service does not offer."""

from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from api.dialects.videogen.ids import from_native
from api.dialects.videogen.languages import NAMES
from api.dialects.videogen.paging import Limit, page_of
from api.dialects.videogen.translate import picture_of
from api.dialects.videogen.voices import TtsVoice, known_voices
from api.http.auth import ANY_KEY, Caller, needs
from api.http.database import Database
from api.http.pagination import pack, unpack
from api.operations.entities import EntityOperations, references_of
from api.operations.media_library import MediaLibrary
from core.settings import Settings
from jobs.statements.api_keys import key_of_tenant
from jobs.statements.queue.submit import served_models
from jobs.wire.dialects.videogen_files import file_of
from pipelines.catalog.loader import Catalog

Cursor = FromQuery[str | None]
Words = Annotated[str | None, QueryParameter(name="query", max_length=1000)]


class VoicePage(msgspec.Struct, frozen=True, rename="camel"):
    """Voices."""

    tts_voices: list[TtsVoice]
    has_more: bool
    next_cursor: str | None


class Presenter(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An actor with a picture, as clients of version 1 call it."""

    avatar_presenter_id: str
    displayable_gender: str = "NEUTRAL"
    image_url: str
    thumbnail_url: str | None
    preview_video_url: str | None = None


class PresenterPage(msgspec.Struct, frozen=True, rename="camel"):
    """Presenters, newest first; actors without a picture are left out, so a page may be short."""

    avatar_presenters: list[Presenter]
    has_more: bool
    next_cursor: str | None


class SpokenLanguage(msgspec.Struct, frozen=True, rename="camel"):
    """A language that some voice speaks."""

    language_code: str
    name: str


class LanguageList(msgspec.Struct, frozen=True):
    """Languages, by code."""

    languages: list[SpokenLanguage]


class Me(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The key of a request, and the team that it belongs to. People are unknown here, and so is an e-mail address."""

    api_key_id: str
    api_key_nickname: str
    email: str | None = None
    display_name: str
    team_id: str


class ResourceRoutes(Controller):
    """Routes of what there is to choose from."""

    path = "/"
    opt = needs("models")

    @get("/resources/tts-voices")
    async def voices(
        self,
        caller: NamedDependency[Caller],
        catalog: NamedDependency[Catalog],
        database: NamedDependency[Database],
        limit: Limit = 50,
        cursor: Cursor = None,
        words: Words = None,
    ) -> VoicePage:
        """Return your stored voices, and the built-in ones of the models that are served now."""
        found = [known.shown for known in await known_voices(caller, database, catalog)]
        found = [voice for voice in found if (words or "").casefold() in voice.display_name.casefold()]
        page, following = page_of(found, lambda voice: voice.voice_id, limit, cursor)
        return VoicePage(page, following is not None, following)

    @get("/resources/avatar-presenters")
    async def presenters(
        self,
        caller: NamedDependency[Caller],
        entities: NamedDependency[EntityOperations],
        media_library: NamedDependency[MediaLibrary],
        settings: NamedDependency[Settings],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> PresenterPage:
        """Return your entities of the type ACTOR that have a picture."""
        before = unpack(cursor) if cursor else None
        rows, last = await entities.page(caller, type_="ACTOR", limit=limit, before=before)
        pictures = {row.id: picture_of(references_of(row)) for row in rows}
        found = await media_library.find_many(caller, [picture for picture in pictures.values() if picture])
        files = {entity: file_of(found[picture], settings) for entity, picture in pictures.items() if picture in found}
        shown = [
            Presenter(
                avatar_presenter_id=from_native("vg_pres", entity),
                image_url=file.download_url,
                thumbnail_url=file.thumbnail_url,
            )
            for entity, file in files.items()
            if file.download_url is not None
        ]
        return PresenterPage(shown, last is not None, pack(last) if last is not None else None)

    @get("/resources/languages")
    async def languages(
        self, catalog: NamedDependency[Catalog], database: NamedDependency[Database], words: Words = None
    ) -> LanguageList:
        """Return the languages that the served models speak."""
        served = {row[0] for row in await database.rows(served_models())}
        codes = sorted({code for spec in catalog.of("speech") if spec.id in served for code in spec.languages})
        listed = [SpokenLanguage(code, NAMES.get(code.partition("-")[0], code)) for code in codes]
        wanted = (words or "").casefold()
        return LanguageList([one for one in listed if wanted in f"{one.language_code} {one.name}".casefold()])

    @get("/me", opt=ANY_KEY)
    async def me(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> Me:
        """Return the key of this request."""
        row = await database.row(key_of_tenant(caller.key_id))
        return Me(
            api_key_id=caller.key_id,
            api_key_nickname=row.name if row else "",
            display_name=row.tenant if row else "",
            team_id=caller.tenant,
        )
