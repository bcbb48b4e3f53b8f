"""What people write in an afternoon: FastAPI, and one INSERT or one SELECT a request. The service is held against it.

It asks for no key, takes any number of jobs of anyone, and tells no worker. Its rows have the columns that its answers
show. `python -m benchmarks.running.plain_rows PORT` is the process, started as FastAPI's users start it: uvicorn with
uvloop and httptools, one process, without its access log. psycopg's defaults prepare the statements.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI, HTTPException
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field

TABLE = """
CREATE TABLE IF NOT EXISTS plain_jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), status text NOT NULL DEFAULT 'queued', model text NOT NULL,
    params jsonb NOT NULL, progress double precision NOT NULL DEFAULT 0, result_url text, error text,
    created_at timestamptz NOT NULL DEFAULT now(), started_at timestamptz, finished_at timestamptz
)
"""


class ImageRequest(BaseModel):
    """The body of a submit."""

    prompt: str = Field(min_length=1, max_length=10_000)
    model: str
    width: int = Field(1024, ge=8, le=4096)
    height: int = Field(1024, ge=8, le=4096)
    num_images: int = Field(1, ge=1, le=8)
    seed: int = Field(-1, ge=-1)


class JobAnswer(BaseModel):
    """The answer of both routes."""

    id: UUID
    status: str
    model: str
    progress: float
    result_url: str | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


COLUMNS = ", ".join(JobAnswer.model_fields)
INSERT = f"INSERT INTO plain_jobs (model, params) VALUES (%s, %s) RETURNING {COLUMNS}"
SELECT = f"SELECT {COLUMNS} FROM plain_jobs WHERE id = %s"


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    size = int(os.environ["ATELIER_DB_POOL"])
    options = {"autocommit": True}
    url = os.environ["ATELIER_DATABASE_URL"]
    async with AsyncConnectionPool(url, min_size=size, max_size=size, kwargs=options) as pool:
        async with pool.connection() as connection:
            await connection.execute(TABLE)
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


@app.post("/images", status_code=202)
async def create(request: ImageRequest) -> JobAnswer:
    """Add a row."""
    return await _row(INSERT, request.model, Jsonb(request.model_dump()))


@app.get("/images/{job_id}")
async def status(job_id: UUID) -> JobAnswer:
    """Read a row."""
    return await _row(SELECT, job_id)


async def _row(statement: str, *values: Any) -> JobAnswer:
    async with app.state.pool.connection() as connection, connection.cursor(row_factory=class_row(JobAnswer)) as cursor:
        await cursor.execute(statement, values)
        found: JobAnswer | None = await cursor.fetchone()
    if found is None:
        raise HTTPException(404)
    return found


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
