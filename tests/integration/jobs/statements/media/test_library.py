"""The library of a tenant with many items: each question is one statement, which an index answers."""

import pytest
from sqlalchemy import func, select, text

from jobs.schema.tables import media
from jobs.statements.media import library, library_search
from tests.support.rows.plans import rows_read, scans

FILL = """
INSERT INTO media (id, tenant, kind, status, filename, media_type, bytes, key, prompt, tags, labels, source, search,
                   created_at, updated_at)
SELECT 'med_' || lpad(to_hex(n), 32, '0'), :tenant, (ARRAY['image', 'video', 'audio'])[1 + (n % 100) / 98], 'ready',
    n || '.png', 'image/png', 1, 'k' || n, 'a red circle ' || n,
    CASE WHEN n % 1000 = 7 THEN ARRAY['common', 'rare'] WHEN n % 2 = 0 THEN ARRAY['common'] ELSE '{}' END,
    CASE WHEN n % 1000 = 8 THEN '{"shop": "eu", "order": "8"}' WHEN n % 2 = 0 THEN '{"shop": "eu"}'
        ELSE '{}' END::jsonb,
    'output', to_tsvector('simple', 'a red circle ' || n || CASE WHEN n % 1000 = 9 THEN ' armchair' ELSE '' END),
    now() - n * interval '1 minute', now() - (n % 997) * interval '1 minute'
FROM generate_series(1, :number) AS n
"""
LINK = """
INSERT INTO media_links (media_id, tenant, product_id, variant_id)
SELECT id, :tenant, 'p' || n % (:number / 10), 'v' || n % (:number / 5)
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM media WHERE tenant = :tenant) AS numbered
"""
VECTORS = """
UPDATE media SET embedding = ARRAY[cos(n), sin(n)], embedding_model = 'clip'
FROM (
    SELECT id, row_number() OVER () AS n FROM media WHERE tenant = :tenant ORDER BY created_at DESC LIMIT :most
) AS newest
WHERE media.id = newest.id
"""
LIMIT = 21


@pytest.fixture(params=[4_000, pytest.param(100_000, marks=pytest.mark.long)])
def number(request):
    return request.param


@pytest.fixture
def tenant(rows, number):
    """A tenant with so many items, beside another one with as many."""
    own, other = rows.tenant(), rows.tenant("another")
    with rows.engine.begin() as connection:
        connection.execute(text(FILL), {"tenant": own, "number": number})
        moved = FILL.replace("to_hex(n)", "to_hex(n + 10000000)")
        connection.execute(text(moved), {"tenant": other, "number": number})
        for tenant in (own, other):
            connection.execute(text(LINK), {"tenant": tenant, "number": number})
    with rows.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE media, media_links"))
    return own


def middle(rows, tenant, time=media.c.created_at):
    """Time and id of an item in the middle of the list."""
    where = media.c.id == rows.scalar(select(media.c.id).where(media.c.tenant == tenant).offset(2000).limit(1))
    return tuple(rows.execute(select(time, media.c.id).where(where))[0])


def test_each_question_is_answered_by_an_index(rows, tenant, number):
    few, changed = number // 1000, middle(rows, tenant, media.c.updated_at)
    ask = {
        "list": (library.list_media(tenant, limit=LIMIT), LIMIT),
        "oldest": (library.list_media(tenant, limit=LIMIT, sort="oldest"), LIMIT),
        "updated": (library.list_media(tenant, limit=LIMIT, sort="updated"), LIMIT),
        "updated page": (library.list_media(tenant, limit=LIMIT, sort="updated", before=changed), LIMIT),
        "kind": (library.list_media(tenant, limit=LIMIT, kind="video"), LIMIT),
        "page": (library.list_media(tenant, limit=LIMIT, before=middle(rows, tenant)), LIMIT),
        "common tag": (library.list_media(tenant, limit=LIMIT, tags=["common"]), LIMIT),
        "rare tag": (library.list_media(tenant, limit=LIMIT, tags=["rare"]), min(few, LIMIT)),
        "common label": (library.list_media(tenant, limit=LIMIT, labels={"shop": "eu"}), LIMIT),
        "rare label": (library.list_media(tenant, limit=LIMIT, labels={"order": "8"}), min(few, LIMIT)),
        "product": (library.list_media(tenant, limit=LIMIT, product_id="p7"), 10),
        "variant": (library.list_media(tenant, limit=LIMIT, variant_id="v7"), 5),
        "rare word": (library_search.search_media(tenant, "armchair", limit=LIMIT), min(few, LIMIT)),
        "common word": (library_search.search_media(tenant, "circle", limit=LIMIT), LIMIT),
    }
    if number < 50 * library_search.RANKED:
        del ask["common word"]  # the newest of which are a good part of so small a table
    for name, (statement, expected) in ask.items():
        assert expected == len(rows.execute(statement)), name
        read = scans(rows.engine, statement, "media", "media_links")
        assert "Seq Scan" not in {scan["Node Type"] for scan in read}, (name, read)
        most = library_search.RANKED + 40 * LIMIT if "word" in name else 40 * LIMIT
        assert sum(rows_read(scan) for scan in read) <= most + 4 * few, (name, read)


def nearest(rows, tenant, vector=(0.0, 1.0), model="clip", **filters):
    found = rows.execute(library_search.nearest_media(tenant, vector, model, **{"limit": 2} | filters))
    return [(row.id, pytest.approx(row.similarity)) for row in found]


def set_vectors(rows, vectors, model="clip"):
    for media_id, vector in vectors.items():
        values = {"embedding": vector, "embedding_model": model}
        rows.execute(media.update().where(media.c.id == media_id).values(**values))


@pytest.fixture(params=[False, True], ids=["plain", "pgvector"])
def pgvector(rows, request):
    """Whether the extension is used; it is in the test's database then."""
    if request.param:
        if not rows.execute(text("SELECT FROM pg_available_extensions WHERE name = 'vector'")):
            pytest.skip("this server has no pgvector")
        rows.execute(text("CREATE EXTENSION vector"))
    assert request.param == rows.scalar(library_search.has_pgvector())
    return request.param


@pytest.mark.matrix
@pytest.mark.parametrize("number", [4_000])
def test_vectors_are_ranked_exactly(rows, tenant, pgvector):
    ids = [row.id for row in rows.execute(library.list_media(tenant, limit=5))]
    vectors = dict(zip(ids, ([1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.0, -1.0], [1.0, 0.0, 0.0]), strict=True))
    set_vectors(rows, vectors)
    assert [(ids[2], 1.0), (ids[1], 0.8)] == nearest(rows, tenant, pgvector=pgvector)
    assert [(ids[1], 0.8), (ids[0], 0.0)] == nearest(rows, tenant, without=ids[2], pgvector=pgvector)
    assert [ids[2], ids[1], ids[0], ids[3]] == [found for found, _ in nearest(rows, tenant, limit=9, pgvector=pgvector)]
    assert [] == nearest(rows, tenant, kind="mesh", pgvector=pgvector)
    assert [] == nearest(rows, tenant, model="another", pgvector=pgvector)
    assert "clip" == rows.scalar(library_search.newest_vector(tenant))
    small = [2e-33, 1.0]  # all-MiniLM-L6-v2 has such numbers: their product is below what single precision can say
    set_vectors(rows, {ids[0]: small})
    found = rows.execute(library_search.nearest_media(tenant, small, "clip", limit=2, pgvector=pgvector))
    assert {(ids[0], 1.0), (ids[2], 1.0)} == {(each.id, each.similarity) for each in found}


@pytest.mark.long
def test_vectors_are_read_by_their_index(rows, tenant, number):
    """Of 200,000 items the 50,000 with a vector are read, once, and again those alone that are shown."""
    most = number // 2
    rows.execute(text(VECTORS).bindparams(tenant=tenant, most=most))
    with rows.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE media"))
    statement = library_search.nearest_media(tenant, [0.0, 1.0], "clip", limit=LIMIT)
    read = scans(rows.engine, statement, "media")
    by_vector, *others = sorted(read, key=rows_read, reverse=True)
    assert by_vector["Node Type"] in ("Index Scan", "Bitmap Heap Scan"), read
    assert (most, LIMIT) == (rows_read(by_vector), sum(map(rows_read, others))), read


def test_a_tenant_brings_only_as_much_as_it_may(rows):
    tenant = rows.tenant()

    def add(number, max_items=2, max_bytes=100, **values):
        limits = {"max_items": max_items, "max_bytes": max_bytes, "bytes_each": 10**10}
        values = {"status": "ready", "source": "upload", "key": "k", "bytes": 6} | values
        return len(rows.execute(library.add_media(f"med_{number}", tenant, values, **limits)))

    assert (1, 0, 1, 0) == (add(1), add(2, max_bytes=11), add(3), add(4))
    assert 2 == rows.scalar(select(func.count()).select_from(media))
    waiting = {"status": "waiting", "max_items": 9}
    assert (0, 1, 0) == (add(5, bytes=89, **waiting), add(6, bytes=88, **waiting), add(7, bytes=1, **waiting))
    assert (0, 1, 0) == tuple(
        add(number, bytes=None, max_bytes=most, **waiting)
        for number, most in ((8, 10**10 + 99), (9, 10**10 + 100), (10, 2 * 10**10))
    )
    rows.execute(media.update().where(media.c.id.in_(["med_6", "med_9"])).values(status="failed"))
    assert (1, 0) == (add(11, bytes=88, **waiting), add(12, bytes=1, **waiting))


@pytest.mark.long
def test_a_transcript_of_any_length_can_be_searched(rows):
    tenant = rows.tenant()
    said = {"words": [{"word": f"{chr(0x20000 + n)}-{chr(0x20000 + n * 7 % 40_000)}", "at": n} for n in range(40_000)]}
    values = {"status": "ready", "source": "upload", "key": "k", "description": "oak", "transcript": said}
    (added,) = rows.execute(library.add_media("med_1", tenant, values, max_items=9, max_bytes=10**9, bytes_each=1))
    assert said == added.transcript
    for words, found in (("oak", 1), (chr(0x20000 + 9), 1), ("word", 0)):
        assert found == len(rows.execute(library_search.search_media(tenant, words, limit=2))), words
    rows.execute(library.change_media("med_1", tenant, {"description": "elm"}))
    for words, found in (("elm", 1), ("oak", 0), (chr(0x20000 + 9), 1)):
        assert found == len(rows.execute(library_search.search_media(tenant, words, limit=2))), words
