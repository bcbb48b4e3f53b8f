"""The objects that the routes share, and their lifespan."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar
from litestar.di import Provide

from api.account.last_use import LastUse
from api.chains.estimates import ChainEstimates
from api.chains.operations import ChainOperations
from api.chains.storyboards import StoryboardSubmissions
from api.chains.submissions import ChainSubmissions
from api.estimates.estimator import Estimator
from api.follow.event_hub import EventHub
from api.follow.job_reader import JobReader
from api.follow.notifier import Notifier
from api.follow.output_stream import OutputFeed
from api.follow.preview_feed import PreviewFeed
from api.follow.status import StatusBuilder
from api.follow.stream_limit import StreamLimit
from api.follow.text_stream import TextStream
from api.follow.watcher import JobWatcher
from api.http.database import Database
from api.http.dependencies import provide, provide_caller, provide_job_view
from api.limits.request_limits import RequestLimits
from api.operations.job_control import JobControl
from api.operations.media_library import MediaLibrary
from api.operations.server_commands import ServerCommands
from api.operations.voice_directory import VoiceDirectory
from api.operations.voice_samples import VoiceSamples
from api.operations.voices import VoiceOperations
from api.search.vectors import VectorSearch
from api.session.cookie import SessionCookie
from api.submit.endpoint import SubmitEndpoint
from api.submit.groups import GroupSubmissions
from api.submit.media_intake import MediaIntake
from api.submit.redrives import Redrives
from api.submit.reproductions import Reproductions
from api.submit.service import Submissions
from core.settings import Settings
from core.storage.store import open_store
from core.tracing import start_tracing
from jobs.statements.api_keys import USE_SECONDS, note_use
from jobs.statements.console.sessions import SEEN_SECONDS, note_seen
from pipelines.catalog.aliases import load_aliases
from pipelines.catalog.loader import load_catalog
from pipelines.weights.footprint import footprints


class Services:
    """One object of each kind for these settings.

    They start without the database and without Redis. Raises `ValueError` for a catalog, a URL or proxies that cannot
    be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings)
        self.catalog = load_catalog(settings.catalog or None)
        self.aliases = load_aliases(self.catalog, settings.aliases or None)
        self.footprints = footprints(self.catalog, settings.weights_lock)
        self.store = open_store(settings)
        self.event_hub = EventHub(settings)
        self.preview_feed = PreviewFeed(settings)
        self.notifier = Notifier(settings)
        self.request_limits = RequestLimits(settings)
        self.session_cookie = SessionCookie(settings)
        self.key_use = LastUse(self.database, note_use, USE_SECONDS)
        note = partial(note_seen, idle_seconds=settings.session_idle_seconds, most_seconds=settings.session_seconds)
        self.session_use = LastUse(self.database, note, SEEN_SECONDS)
        self.server_commands = ServerCommands(settings)
        self.intake = MediaIntake(self.store, settings)
        self.media_library = MediaLibrary(self.database, self.store, settings)
        self.status_builder = StatusBuilder(self.database, self.catalog, settings)
        self.watcher = JobWatcher(JobReader(self.database, settings), self.event_hub, self.status_builder)
        self.stream_limit = StreamLimit(settings.max_streams)
        self.text_stream = TextStream(self.watcher, self.preview_feed, self.stream_limit)
        self.output_feed = OutputFeed(settings, self.store, self.watcher, self.stream_limit)
        self.submissions = Submissions(self.database, self.catalog, self.notifier, self.intake, settings)
        self.groups = GroupSubmissions(self.database, self.catalog, self.notifier, self.intake, settings)
        self.reproductions = Reproductions(self.database, self.catalog, self.notifier, settings)
        self.redrives = Redrives(self.database, self.notifier, self.catalog, settings)
        self.job_control = JobControl(self.database, self.notifier, self.server_commands)
        self.chain_submissions = ChainSubmissions(self.database, self.catalog, self.notifier, self.intake, settings)
        self.storyboard_submissions = StoryboardSubmissions(self.database, self.catalog, self.chain_submissions)
        self.chain_operations = ChainOperations(self.database, self.job_control)
        self.submit_endpoint = SubmitEndpoint(
            self.submissions, self.groups, self.job_control.cancel, self.watcher, settings
        )
        self.vector_search = VectorSearch(
            self.database, self.store, self.catalog, self.submit_endpoint, self.notifier, self.server_commands
        )
        self.estimator = Estimator(self.database, self.catalog, self.footprints, settings)
        self.chain_estimates = ChainEstimates(self.estimator)
        self.voice_operations = VoiceOperations(self.database, self.intake, settings)
        self.voice_directory = VoiceDirectory(self.database, self.catalog, self.store, settings)
        self.voice_samples = VoiceSamples(self.database, self.catalog, self.submissions, settings)

    def dependencies(self) -> dict[str, Provide]:
        """Return the providers of what a route of any router may ask for."""
        return {"caller": provide_caller(), "job_view": provide_job_view()} | provide(
            catalog=self.catalog,
            database=self.database,
            estimator=self.estimator,
            footprints=self.footprints,
            media_library=self.media_library,
            notifier=self.notifier,
            output_feed=self.output_feed,
            preview_feed=self.preview_feed,
            settings=self.settings,
            status_builder=self.status_builder,
            store=self.store,
            stream_limit=self.stream_limit,
            submit_endpoint=self.submit_endpoint,
            vector_search=self.vector_search,
            watcher=self.watcher,
        )

    @asynccontextmanager
    async def lifespan(self, _: Litestar) -> AsyncIterator[None]:
        """Run the threads and tasks as long as the application runs."""
        stop_tracing = start_tracing(self.settings, "atelier-api")
        self.event_hub.start()
        self.key_use.start()
        self.session_use.start()
        try:
            yield
        finally:
            await self.event_hub.stop()
            await self.preview_feed.stop()
            await self.output_feed.stop()
            await self.notifier.stop()
            self.server_commands.close()
            self.intake.close()
            await self.request_limits.close()
            await self.key_use.stop()
            await self.session_use.stop()
            await self.database.close()
            await asyncio.to_thread(stop_tracing)
