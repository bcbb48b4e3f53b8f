"""The media library of a tenant: bringing files, finding, changing, publishing and deleting items."""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack

import msgspec
from sqlalchemy import Executable

from api.http.auth import Caller
from api.http.database import Database
from api.http.pagination import decode_cursor, encode_cursor, wrong_cursor
from api.http.received_file import received_file
from api.http.strict_json import StrictRequest
from api.operations.media_files import (
    FORM_FIELDS,
    MediaFacts,
    SaidOfMedia,
    clean_values,
    columns_of,
    facts_of,
    form_facts,
    store_file,
)
from api.submit.validation import check_url
from core.errors.conflicts import MediaNotReady
from core.errors.fields import MissingField, NulInText
from core.errors.inputs import InputTooLarge
from core.errors.limits import LibraryFull
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownMedia
from core.ids import check_id, is_id, new_id
from core.settings import Settings
from core.storage.store import Store
from jobs.media import PREFIX, Media, folder_of, media_from_row
from jobs.statements.media import library, library_links, library_removal, library_search
from jobs.statements.media.library import Sort


class MediaLibrary:
    """Operations on items. Each is bound to the caller's tenant: an item of another one is `UnknownMedia`.

    What a sender says of a file are keyword arguments, the fields of `MediaFacts`; the precise `InvalidRequest` is
    raised for what is wrong in them.
    """

    def __init__(self, database: Database, store: Store, settings: Settings) -> None:
        self._database = database
        self._store = store
        self._settings = settings

    async def open_upload(
        self, caller: Caller, *, bytes: int | None = None, **said: Unpack[SaidOfMedia]
    ) -> tuple[Media, str]:
        """Add an item whose file its sender PUTs to the link that is returned. Raises `LibraryFull`.

        The link is valid for `ATELIER_LINK_SECONDS`. A CPU worker looks at the file once it is there. `bytes` is the
        most that it may have, and what it counts until then; without, that is the most that any file may have.
        """
        media_id, facts = new_id(PREFIX), facts_of(said)
        key = f"{folder_of(caller.tenant, media_id)}raw"
        waits = self._waits(bytes) | {"key": key, "source": "upload"}
        media = await self._add(caller, media_id, columns_of(facts) | waits)
        link = await asyncio.to_thread(self._store.upload_link, key, seconds=self._settings.link_seconds)
        return media, link

    async def store_body(self, caller: Caller, request: StrictRequest, **said: Unpack[SaidOfMedia]) -> Media:
        """Add an item of the file in a body: the whole body, or the field `file` of a form.

        The fields of the form, and what the part says of the file, count where `said` has nothing. Raises also
        `BodyTooLarge`, `InputUnreadable`, `UnsupportedMedia`, `MediaTypeMismatch`, `StorageUnavailable`, `LibraryFull`.
        """
        request.check_encoding()
        limit = self._settings.library_file_bytes
        async with received_file(request, self._settings, limit, texts=FORM_FIELDS) as received:
            found: dict[str, Any] = {"filename": received.filename, "content_type": received.content_type}
            sent = {name: value for name, value in found.items() if value} | form_facts(received.texts) | said
            return await self._store_file(caller, received.path, facts_of(SaidOfMedia(**sent)))  # type: ignore[typeddict-item]

    async def store_file(self, caller: Caller, file: Path, **said: Unpack[SaidOfMedia]) -> Media:
        """Add an item of a file on this machine. Raises what `store_body` raises, but for the body."""
        return await self._store_file(caller, file, facts_of(said))

    async def import_url(
        self, caller: Caller, url: str, *, bytes: int | None = None, **said: Unpack[SaidOfMedia]
    ) -> Media:
        """Add an item whose file a CPU worker fetches from a URL. Raises `ForbiddenUrl` and `LibraryFull`.

        `bytes` is what it is for `open_upload`.
        """
        check_url(url, "$.url", self._settings)
        media_id, facts = new_id(PREFIX), facts_of(said)
        values = columns_of(facts)
        values.setdefault("filename", clean_values({"filename": url.partition("?")[0].rstrip("/")})["filename"][:255])
        key = f"{folder_of(caller.tenant, media_id)}raw"
        waits = self._waits(bytes) | {"key": key, "source": "url", "url": url}
        return await self._add(caller, media_id, values | waits)

    async def find(self, caller: Caller, media_id: str) -> Media:
        """Return an item. Raises `UnknownMedia`, for an id of another shape too."""
        return await self._one(library.find_media([check_id(PREFIX, media_id)], caller.tenant))

    async def find_many(self, caller: Caller, media_ids: Sequence[str]) -> dict[str, Media]:
        """Return those of the items that the caller has, by id."""
        asked = [media_id for media_id in media_ids if is_id(PREFIX, media_id)]
        rows = await self._database.rows(library.find_media(asked, caller.tenant)) if asked else ()
        return {row.id: media_from_row(row) for row in rows}

    async def find_outputs(self, caller: Caller, job_ids: Sequence[str]) -> dict[tuple[str, int], Media]:
        """Return the items that are outputs of these jobs, by job and number."""
        found = map(media_from_row, await self._database.rows(library.find_outputs(job_ids, caller.tenant)))
        return {(media.job_id or "", media.output_number or 0): media for media in found}

    async def page(
        self,
        caller: Caller,
        *,
        kind: str | None = None,
        tags: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        product_id: str | None = None,
        variant_id: str | None = None,
        limit: int = 20,
        sort: Sort = "newest",
        cursor: str | None = None,
        include_temporary: bool = False,
    ) -> tuple[list[Media], str | None]:
        """Return items that have all of the tags and labels, and the cursor of the next page."""
        _refuse_nul(*tags, *(labels or {}).values(), product_id or "", variant_id or "")
        before = None
        if cursor:
            made_by, *before_parts = decode_cursor(cursor, tuple[Sort, datetime, str])
            before = (before_parts[0], before_parts[1]) if made_by == sort else None
            if before is None:
                raise wrong_cursor()
        rows = await self._database.rows(
            library.list_media(
                caller.tenant,
                limit=limit + 1,
                kind=kind,
                tags=tags,
                labels=labels,
                product_id=product_id,
                variant_id=variant_id,
                sort=sort,
                before=before,
                include_temporary=include_temporary,
            )
        )
        found = [media_from_row(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return found, None
        last = found[-1]
        return found, encode_cursor((sort, last.updated_at if sort == "updated" else last.created_at, last.id))

    async def search(
        self, caller: Caller, text: str, limit: int = 20, *, kind: str | None = None
    ) -> list[tuple[float, Media]]:
        """Return the items with these words, best first, each with its similarity, above 0 and at most 1."""
        return (await self.search_page(caller, text, limit, kind=kind))[0]

    async def search_page(
        self, caller: Caller, text: str, limit: int, *, kind: str | None = None, cursor: str | None = None
    ) -> tuple[list[tuple[float, Media]], str | None]:
        """Return what `search` does, and the cursor of the next page."""
        _refuse_nul(text)
        words = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
        before = None
        if cursor:
            position = decode_cursor(cursor, tuple[str, float, datetime, str])
            if position[0] != words:
                raise wrong_cursor()
            before = position[1:]
        statement = library_search.search_media(caller.tenant, text, limit=limit + 1, kind=kind, before=before)
        rows = await self._database.rows(statement)
        found = [(float(row.similarity), media_from_row(row)) for row in rows[:limit]]
        if len(rows) <= limit:
            return found, None
        similarity, last = found[-1]
        return found, encode_cursor((words, similarity, last.created_at, last.id))

    async def update(self, caller: Caller, media_id: str, **changes: Any) -> Media:
        """Change `filename`, `description`, `tags` or `labels`, as `MediaChanges.values` has them."""
        if not changes:
            return await self.find(caller, media_id)
        return await self._one(library.change_media(check_id(PREFIX, media_id), caller.tenant, clean_values(changes)))

    async def archive(self, caller: Caller, media_id: str) -> Media:
        """Take an item out of lists and searches; its id and its links go on to work."""
        found = await self.find(caller, media_id)
        archived = {"archived_at": found.archived_at or datetime.now(found.created_at.tzinfo)}
        return await self._one(library.change_media(media_id, caller.tenant, archived))

    async def publish(self, caller: Caller, media_id: str) -> Media:
        """Give an item a public link, or keep the one that it has. Raises `MediaNotReady`."""
        found = await self.find(caller, media_id)
        if found.status != "ready":
            raise MediaNotReady
        token = {"public_token": found.public_token or secrets.token_urlsafe(24)}
        return await self._one(library.change_media(media_id, caller.tenant, token))

    async def unpublish(self, caller: Caller, media_id: str) -> Media:
        """Take the public link of an item away: it leads nowhere from now on."""
        return await self._one(library.change_media(check_id(PREFIX, media_id), caller.tenant, {"public_token": None}))

    async def remove(self, caller: Caller, media_id: str) -> None:
        """Delete an item with its objects and links; those that the store does not remove now a CPU worker does."""
        row = await self._database.row(library_removal.erase_media(check_id(PREFIX, media_id), caller.tenant))
        if row is None:
            raise UnknownMedia
        try:
            await asyncio.to_thread(_remove_objects, self._store, media_from_row(row))
        except StorageUnavailable:
            return
        await self._database.transaction(lambda connection: connection.execute(library_removal.forget_media(media_id)))

    async def link(
        self,
        caller: Caller,
        media_id: str,
        product_id: str | None = None,
        variant_id: str | None = None,
        position: int = 0,
    ) -> Media:
        """Link an item to a product or a variant, at a position; a link that is there gets the position."""
        await self.link_many(caller, product_id, variant_id, {check_id(PREFIX, media_id): position})
        return await self.find(caller, media_id)

    async def link_many(
        self, caller: Caller, product_id: str | None, variant_id: str | None, positions: Mapping[str, int]
    ) -> None:
        """Link items, each at its position: all of them, or none.

        Raises `MissingField` without a product and a variant, and `UnknownMedia`, which names the first.
        """
        _check_target(product_id, variant_id)

        async def work(connection: Any) -> None:
            statement = library_links.link_media(positions, caller.tenant, product_id, variant_id)
            linked = {row.media_id for row in await connection.execute(statement)}
            for media_id in positions:
                if media_id not in linked:
                    raise UnknownMedia(f"No item of this key is called {media_id[:80]!r}. {UnknownMedia.advice}")

        await self._database.transaction(work)

    async def unlink(
        self, caller: Caller, media_id: str, product_id: str | None = None, variant_id: str | None = None
    ) -> Media:
        """Remove the link of an item to what was named so by `link`, if there is one. Raises `MissingField`."""
        _check_target(product_id, variant_id)
        found = await self.find(caller, media_id)
        await self._database.row(library_links.unlink_media(media_id, caller.tenant, product_id, variant_id))
        named = (product_id or None, variant_id or None)
        left = tuple(one for one in found.links if (one.product_id, one.variant_id) != named)
        return msgspec.structs.replace(found, links=left)

    async def _store_file(self, caller: Caller, file: Path, facts: MediaFacts) -> Media:
        media_id = new_id(PREFIX)
        stored = await store_file(self._store, folder_of(caller.tenant, media_id), file, facts)
        known = {
            "kind": stored.type.kind,
            "media_type": stored.type.media_type,
            "key": stored.key,
            "bytes": stored.bytes,
            "sha256": stored.sha256,
            "status": "ready",
            "source": "upload",
        }
        try:
            return await self._add(caller, media_id, columns_of(facts) | known)
        except LibraryFull:
            await asyncio.to_thread(self._store.remove, stored.key)
            raise

    async def _add(self, caller: Caller, media_id: str, values: dict[str, Any]) -> Media:
        limits = {"max_items": self._settings.library_items, "max_bytes": self._settings.library_bytes}
        most = self._settings.library_file_bytes
        row = await self._database.row(library.add_media(media_id, caller.tenant, values, **limits, bytes_each=most))
        if row is None:
            raise LibraryFull(
                f"You have reached your limit of {self._settings.library_items} files or "
                f"{self._settings.library_bytes} bytes in the media library, where a file that is waited for counts as "
                f"its `bytes`, or as {most} without. {LibraryFull.advice}"
            )
        return media_from_row(row)

    def _waits(self, bytes: int | None) -> dict[str, Any]:
        """Return columns of an item whose file is still to come. Raises `InputTooLarge`."""
        if bytes is not None and bytes > self._settings.library_file_bytes:
            raise InputTooLarge(f"A file may have at most {self._settings.library_file_bytes} bytes.", field="$.bytes")
        return {"status": "waiting", "bytes": bytes}

    async def _one(self, statement: Executable) -> Media:
        row = await self._database.row(statement)
        if row is None:
            raise UnknownMedia
        return media_from_row(row)


def _remove_objects(store: Store, media: Media) -> None:
    for key in media.keys:
        store.remove(key)
    if media.folder:
        store.remove_prefix(media.folder)


def _check_target(product_id: str | None, variant_id: str | None) -> None:
    if not (product_id or variant_id):
        raise MissingField("`product_id` or `variant_id` is required; add one, or both.", field="$.product_id")
    _refuse_nul(product_id or "", variant_id or "")


def _refuse_nul(*texts: str) -> None:
    if any("\0" in text for text in texts):
        raise NulInText
