"""The media library asks the database once for each page."""

import asyncio

from sqlalchemy import event, text

from api.http.auth import Caller
from api.http.database import Database
from api.operations.media_library import MediaLibrary
from core.storage.store import open_store

FILL = text("""
    INSERT INTO media (id, tenant, status, key, filename, source, tags, labels, search)
    SELECT 'med_' || lpad(to_hex(n), 32, '0'), :tenant, 'ready', 'k', n || '.png', 'upload', '{lamp}', '{"shop": "eu"}',
        to_tsvector('simple', 'oak lamp')
    FROM generate_series(1, 5) AS n
""")


def test_each_page_is_one_statement(rows, settings, tenant):
    caller, sent = Caller(tenant, "key", 1), []
    with rows.engine.begin() as connection:
        connection.execute(FILL, {"tenant": tenant})

    async def pages():
        database = Database(settings)
        library = MediaLibrary(database, open_store(settings), settings)
        event.listen(database._db.sync_engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
        try:
            listed, cursor = await library.page(caller, limit=3, tags=["lamp"], labels={"shop": "eu"})
            found, following = await library.search_page(caller, "oak", 3)
            rest, _ = await library.page(caller, limit=3, tags=["lamp"], labels={"shop": "eu"}, cursor=cursor)
            others, _ = await library.search_page(caller, "oak", 3, cursor=following)
            return listed + rest, [media for _, media in found + others]
        finally:
            await database.close()

    for media in asyncio.run(pages()):
        assert [f"{number}.png" for number in (5, 4, 3, 2, 1)] == [one.filename for one in media]
    assert 4 == len(sent), sent
