"""OpenAI's other routes of texts, which are not built: every model is one that does not exist for them."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.params import JSONBody
from msgspec import Meta

from api.http.auth import needs
from core.errors.fields import UnknownModel

NO_TEXT = (
    "The model {name!r} does not exist for this route: texts are written at POST /chat/completions, and at "
    "POST /generate/text/v1."
)


class TextRequest(msgspec.Struct, frozen=True):
    """What is read of a request for text."""

    model: Annotated[str, Meta(max_length=200)] = "auto"


@post(["/completions", "/responses"], opt=needs("jobs"), include_in_schema=False)
async def refuse_text(data: JSONBody[TextRequest]) -> None:
    """Refuse a request for text. Raises `UnknownModel`."""
    raise UnknownModel(NO_TEXT.format(name=data.model), field="$.model")
