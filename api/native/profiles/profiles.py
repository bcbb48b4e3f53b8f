"""/profiles/v1: named defaults, which an image job takes by its `profile_id`."""

from typing import Annotated

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, JSONBody

from api.http.auth import Caller, needs
from api.http.strict_json import BODY_ERRORS
from api.openapi.documents import error_responses
from api.operations.profiles import ProfileAnswer, ProfileList, ProfileOperations
from core.errors.fields import NulInText
from core.errors.limits import TooManyProfiles
from core.errors.unknown import MalformedId, UnknownProfile
from jobs.profiles import NewProfile, ProfileChange

FOUND = (MalformedId, UnknownProfile)
EXAMPLES = [
    Example(
        summary="A look",
        value={"name": "Catalog", "prompt_template": "{{ user_prompt }}, soft studio light", "steps": 8},
    )
]


class ProfileRoutes(Controller):
    """Routes that make, list, show, change and remove profiles."""

    path = "/profiles/v1"
    tags = ("Generate",)
    opt = needs("profiles")

    @post(
        status_code=201, responses=error_responses(*BODY_ERRORS, NulInText, TooManyProfiles), summary="Make a profile"
    )
    async def create(
        self,
        data: Annotated[NewProfile, Body(examples=EXAMPLES)],
        caller: NamedDependency[Caller],
        profiles: NamedDependency[ProfileOperations],
    ) -> ProfileAnswer:
        """Keep defaults under a name. A job with its `profile_id` has them where its request has the usual values."""
        return await profiles.add(caller.tenant, data)

    @get(responses=error_responses(), summary="Profiles")
    async def index(self, caller: NamedDependency[Caller], profiles: NamedDependency[ProfileOperations]) -> ProfileList:
        """Return your profiles, newest first."""
        return await profiles.page(caller.tenant)

    @get("/{profile_id:str}", responses=error_responses(*FOUND), summary="One profile")
    async def show(
        self,
        profile_id: FromPath[str],
        caller: NamedDependency[Caller],
        profiles: NamedDependency[ProfileOperations],
    ) -> ProfileAnswer:
        """Return a profile with its defaults."""
        return await profiles.find(caller.tenant, profile_id)

    @patch("/{profile_id:str}", responses=error_responses(*BODY_ERRORS, NulInText, *FOUND), summary="Change a profile")
    async def change(
        self,
        profile_id: FromPath[str],
        data: JSONBody[ProfileChange],
        caller: NamedDependency[Caller],
        profiles: NamedDependency[ProfileOperations],
    ) -> ProfileAnswer:
        """Change the fields that are sent; jobs that were submitted stay as they are."""
        return await profiles.change(caller.tenant, profile_id, data)

    @delete("/{profile_id:str}", responses=error_responses(*FOUND), summary="Remove a profile")
    async def remove(
        self,
        profile_id: FromPath[str],
        caller: NamedDependency[Caller],
        profiles: NamedDependency[ProfileOperations],
    ) -> None:
        """Remove a profile; jobs that were submitted with it stay as they are."""
        await profiles.remove(caller.tenant, profile_id)
