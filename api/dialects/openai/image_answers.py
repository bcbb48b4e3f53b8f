"""The way of a request for images to its answer."""

from typing import Any

from litestar import Response

from api.dialects.openai.forms import received_form
from api.dialects.openai.images import as_links, image_jobs, shows_partial_images
from api.dialects.openai.partial_images import PartialImages
from api.dialects.openai.requests import JobsOfRequest, OpenAIRequests
from api.dialects.openai.results import image_events, images
from api.dialects.openai.schema import EditRequest, GenerationRequest, ImageOptions, VariationRequest
from api.http.strict_json import StrictRequest
from api.operations.uploads import UploadOperations
from core.errors.fields import InvalidRequest
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Job
from jobs.wire.dialects.openai import NAME
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

MOST_PICTURES = 16


class OpenAIImages:
    """Makes images as OpenAI's clients ask for them, and answers with them."""

    def __init__(
        self,
        requests: OpenAIRequests,
        uploads: UploadOperations,
        catalog: Catalog,
        aliases: Aliases,
        partial_images: PartialImages,
        store: Store,
        settings: Settings,
    ) -> None:
        self._requests = requests
        self._uploads = uploads
        self._catalog = catalog
        self._aliases = aliases
        self._partial_images = partial_images
        self._store = store
        self._settings = settings

    async def generate(self, request: StrictRequest, asked: GenerationRequest, key: str | None) -> Response[Any]:
        """Answer with images from a prompt."""

        async def read() -> JobsOfRequest:
            return self._jobs(asked, [])

        return await self._answer(request, asked, await self._requests.submit(request, read, key))

    async def from_pictures(
        self, request: StrictRequest, type_: type[EditRequest | VariationRequest], key: str | None
    ) -> Response[Any]:
        """Answer with images made of the pictures of a form."""
        async with received_form(request, self._settings, MOST_PICTURES * self._settings.input_max_bytes) as form:
            asked = form.read(type_)
            form.check_files("image", *(("mask",) if type_ is EditRequest else ()))
            masks = form.files_of("mask")
            if len(masks) > 1:
                raise InvalidRequest("`mask` is there twice; send it once.", field="$.mask")

            async def read() -> JobsOfRequest:
                pictures = [
                    await self._uploads.add(request.user, one.path, "image", "$.image")
                    for one in form.files_of("image")
                ]
                mask = await self._uploads.add(request.user, masks[0].path, "image", "$.mask") if masks else None
                return self._jobs(asked, pictures, mask)

            jobs = await self._requests.submit(request, read, key)
        return await self._answer(request, asked, jobs)

    def _jobs(
        self,
        asked: GenerationRequest | EditRequest | VariationRequest,
        pictures: list[str],
        mask: str | None = None,
    ) -> JobsOfRequest:
        model = self._aliases.model(self._catalog, "image", asked.model, NAME)
        made = image_jobs(asked, model, pictures, mask)
        return JobsOfRequest(made.params, asked.model, warnings=made.warnings)

    async def _answer(self, request: StrictRequest, asked: ImageOptions, jobs: list[Job]) -> Response[Any]:
        verb = "generation" if isinstance(asked, GenerationRequest) else "edit"
        if shows_partial_images(asked) and not all(job.status.terminal for job in jobs):
            return await self._partial_images.answer(request.user.key_id, jobs, asked, verb)
        ended = await self._requests.wait(request, jobs)
        quality, links = asked.quality or "auto", as_links(asked)
        if asked.stream:
            return await image_events(ended, self._store, self._settings, quality=quality, verb=verb)
        return await images(ended, self._store, self._settings, quality=quality, links=links)
