"""/profiles/v1 in ImagePipeline's words, which are the native ones; unknown fields are ignored."""

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.http.auth import Caller, needs
from api.operations.profiles import ProfileAnswer, ProfileList, ProfileOperations
from jobs.profiles import NewProfile, ProfileChange


class LenientProfile(NewProfile, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A profile to make."""


class LenientProfileChange(ProfileChange, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The fields to change."""


class LenientProfileRoutes(Controller):
    """Routes that make, list, show, change and remove profiles."""

    path = "/profiles/v1"
    opt = needs("profiles")

    @post(status_code=201)
    async def create(
        self,
        data: JSONBody[LenientProfile],
        caller: NamedDependency[Caller],
        profiles: NamedDependency[ProfileOperations],
    ) -> ProfileAnswer:
        """Keep defaults under a name."""
        return await profiles.add(caller.tenant, data)

    @get()
    async def index(self, caller: NamedDependency[Caller], profiles: NamedDependency[ProfileOperations]) -> ProfileList:
        """Return the caller's profiles."""
        return await profiles.page(caller.tenant)

    @get("/{profile_id:str}")
    async def show(
        self,
        profile_id: FromPath[str],
        caller: NamedDependency[Caller],
        profiles: NamedDependency[ProfileOperations],
    ) -> ProfileAnswer:
        """Return a profile."""
        return await profiles.find(caller.tenant, profile_id)

    @patch("/{profile_id:str}")
    async def change(
        self,
        profile_id: FromPath[str],
        data: JSONBody[LenientProfileChange],
        caller: NamedDependency[Caller],
        profiles: NamedDependency[ProfileOperations],
    ) -> ProfileAnswer:
        """Change a profile."""
        return await profiles.change(caller.tenant, profile_id, data)

    @delete("/{profile_id:str}")
    async def remove(
        self,
        profile_id: FromPath[str],
        caller: NamedDependency[Caller],
        profiles: NamedDependency[ProfileOperations],
    ) -> None:
        """Remove a profile."""
        await profiles.remove(caller.tenant, profile_id)
