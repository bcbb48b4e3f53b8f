"""The outputs of completed jobs as items of the media library, added by the statement that completes the jobs."""

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    Integer,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert

from jobs.media import TEMPORARY_SECONDS
from jobs.params.requests.origin import LIBRARY
from jobs.schema.tables import media
from jobs.statements.clauses import fresh_id, interval

SIMPLE: ColumnElement[Any] = literal_column("'simple'::regconfig")
LONGEST_TEXT: ColumnElement[int] = literal_column("120000")
"""Characters of an item's texts that are searched. A text search vector has at most a megabyte, of which one may take 8
bytes: one of 4 bytes, in a word with hyphens, which is there whole and in parts."""
KINDS = ("image", "video", "audio")
"""Kinds that are called as the media types of their files begin."""


def text_vector(*texts: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return what a search looks in for an item with these texts, of which any may be null."""
    return func.to_tsvector(SIMPLE, func.left(func.concat_ws(literal_column("' '"), *texts), LONGEST_TEXT))


def shows_first(kind: ColumnElement[Any], first: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether an output of a kind is a picture of its job's first one, as a waveform is, by the kind of that."""
    image: ColumnElement[str] = literal_column("'image'")
    return and_(kind == image, first != image)


def keep_outputs(changed: CTE) -> CTE:
    """Return the insertion of the outputs of the jobs in `changed`, under the keys that their files have there.

    Those of jobs that were made for the library itself are left out.
    """
    return insert_outputs(changed).cte("kept")


def insert_outputs(changed: CTE) -> Insert:
    """Return what `keep_outputs` does, as a statement. A picture of the first output is archived from the beginning."""
    output = (
        func.jsonb_array_elements(changed.c.artifacts)
        .table_valued(column("value", JSONB), with_ordinality="place", name="output")
        .render_derived(name="output")
    )
    artifact, number = output.c.value, cast(output.c.place, Integer) - literal_column("1")
    facts, job = artifact["metadata"], changed.c
    kind, first = (_kind(one["media_type"].astext) for one in (artifact, job.artifacts[0]))
    prompt = func.coalesce(job.params["prompt"].astext, job.params["text"].astext)
    name = facts["name"].astext
    extension = func.substring(artifact["key"].astext, literal_column("'[^.]*$'"))
    dash, dot = literal_column("'-'", Text), literal_column("'.'", Text)
    temporary = func.coalesce(cast(job.origin["temporary"].astext, Boolean), literal_column("false"))
    values: dict[str, ColumnElement[Any]] = {
        "id": fresh_id("med"),
        "tenant": job.tenant,
        "kind": kind,
        "status": literal_column("'ready'"),
        "filename": func.coalesce(name, func.concat(job.id, dash, number, dot, extension)),
        "media_type": artifact["media_type"].astext,
        "bytes": cast(artifact["bytes"].astext, BigInteger),
        "sha256": artifact["sha256"].astext,
        "key": artifact["key"].astext,
        "width": cast(facts["width"].astext, Integer),
        "height": cast(facts["height"].astext, Integer),
        "duration_seconds": cast(facts["duration_seconds"].astext, Double),
        "previews": func.coalesce(artifact["previews"], literal_column("'[]'::jsonb")),
        "job_id": job.id,
        "output_number": number,
        "prompt": prompt,
        "model": job.model,
        "seed": case((job.modality == literal_column("'image'"), job.seed + number), else_=job.seed),
        "labels": job.labels,
        "source": literal_column("'output'"),
        "temporary": temporary,
        "expires_at": case((temporary, job.finished_at + interval(literal_column(f"{TEMPORARY_SECONDS}")))),
        "search": text_vector(prompt, name),
        "created_at": job.finished_at,
        "updated_at": job.finished_at,
        "archived_at": case((shows_first(kind, first), job.finished_at)),
    }
    rows = select(*values.values()).select_from(changed.join(output, true())).where(is_kept(job.origin))
    return insert(media).from_select(list(values), rows)


def is_kept(origin: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether the outputs of a job of this origin are items: not those that the library itself has asked for."""
    return origin.op("->>", return_type=Text())(literal_column("'dialect'")).is_distinct_from(
        literal_column(f"'{LIBRARY}'")
    )


def _kind(media_type: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the kind of a file by its media type."""
    family = func.split_part(media_type, literal_column("'/'"), literal_column("1"))
    named = [(family == literal_column(f"'{kind}'"), literal_column(f"'{kind}'", Text)) for kind in KINDS]
    meshes = (family == literal_column("'model'"), literal_column("'mesh'", Text))
    return case(*named, meshes, else_=literal_column("'document'", Text))
