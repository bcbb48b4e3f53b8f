"""/console: the page, its files, and its sessions."""

import asyncio
from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, SkipValidation
from msgspec import Meta

from api.console.files import FRAME, ConsoleFile, ConsoleFiles
from api.console.policy import SHARED_HEADERS, ConsolePolicy, frame_policy
from api.console.sessions import ConsoleSessions
from api.http.auth import PUBLIC
from api.http.database import Database
from api.http.dependencies import Router, provide
from api.http.strict_json import StrictRequest
from api.limits.request_limits import RequestLimits
from api.session.cookie import SessionCookie
from core.errors.http import UnknownRoute
from core.settings import Settings
from core.storage.store import Store
from jobs.wire.links import public_path

FOR_GOOD = "public, max-age=31536000, immutable"
"""A new version of a file has another path."""
ASK_AGAIN = "no-cache"

Encodings = Annotated[str, HeaderParameter(name="Accept-Encoding")]
Known = Annotated[str, HeaderParameter(name="If-None-Match")]


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a sign-in."""

    key: Annotated[str, Meta(min_length=1, max_length=200)]


class SessionState(msgspec.Struct, frozen=True):
    """Whether a browser is signed in."""

    signed_in: bool


class ConsoleRoutes(Controller):
    """Routes of the console; what it shows and does is the API's, with the rights of the session's key."""

    path = "/console"
    opt = PUBLIC
    include_in_schema = False

    @get(["/", "/{path:path}"])
    async def show(
        self,
        files: NamedDependency[ConsoleFiles],
        policy: NamedDependency[SkipValidation[ConsolePolicy]],
        path: FromPath[str] = "",
        encodings: Encodings = "",
        known: Known = "",
    ) -> Response[bytes]:
        """Return the page, whatever its path is, or a file."""
        if path.startswith("/~"):
            return _send_file(await asyncio.to_thread(files.find, path), path, encodings)
        shell = await asyncio.to_thread(lambda: files.shell)
        tag = f'"{files.version}"'
        headers = SHARED_HEADERS | {
            "Content-Security-Policy": await policy.page(),
            "Cache-Control": ASK_AGAIN,
            "ETag": tag,
        }
        if tag in known:
            return Response(b"", status_code=304, headers=headers)
        return _send(shell, headers, encodings)

    @post("/session", status_code=204)
    async def sign_in(
        self,
        request: StrictRequest,
        data: JSONBody[SignIn],
        sessions: NamedDependency[ConsoleSessions],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[None]:
        """Begin a session of this browser with a key."""
        cookie.check_own_page(request.scope["headers"])
        session = await sessions.begin(request, data.key)
        return Response(None, headers={"Set-Cookie": cookie.set(session), "Cache-Control": "no-store"})

    @get("/session")
    async def look(
        self,
        request: StrictRequest,
        sessions: NamedDependency[ConsoleSessions],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[SessionState]:
        """Return whether this browser is signed in, which its pages cannot see; a 401 would be an error in its log."""
        session = cookie.read(request.scope["headers"])
        signed_in = session is not None and await sessions.is_valid(session)
        return Response(SessionState(signed_in), headers={"Cache-Control": "no-store"})

    @delete("/session")
    async def sign_out(
        self,
        request: StrictRequest,
        sessions: NamedDependency[ConsoleSessions],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[None]:
        """End the session of this browser."""
        cookie.check_own_page(request.scope["headers"])
        session = cookie.read(request.scope["headers"])
        if session is not None:
            await sessions.end(session)
        return Response(None, headers={"Set-Cookie": cookie.clear(), "Cache-Control": "no-store"})


def console_router(
    database: Database, limits: RequestLimits, store: Store, cookie: SessionCookie, settings: Settings
) -> Router:
    """Return the router."""
    return Router(
        "/",
        route_handlers=[ConsoleRoutes],
        dependencies=provide(
            files=ConsoleFiles(public_path(settings, "")),
            policy=ConsolePolicy(store, settings),
            sessions=ConsoleSessions(database, limits, settings),
            cookie=cookie,
        ),
    )


def _send_file(file: ConsoleFile | None, path: str, encodings: str) -> Response[bytes]:
    if file is None:
        raise UnknownRoute("The console has no such file; a page of another version asks for it: load it again.")
    headers = {"Cache-Control": FOR_GOOD, "Access-Control-Allow-Origin": "*"}  # a frame in a sandbox has no origin
    if path.endswith(f"/{FRAME}"):
        headers |= {"Content-Security-Policy": frame_policy(), "Referrer-Policy": "no-referrer"}
    return _send(file, headers, encodings)


def _send(file: ConsoleFile, headers: dict[str, str], encodings: str) -> Response[bytes]:
    headers = headers | {"Vary": "Accept-Encoding"}
    if file.compressed is not None and "gzip" in encodings:
        return Response(file.compressed, media_type=file.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(file.content, media_type=file.media_type, headers=headers)
