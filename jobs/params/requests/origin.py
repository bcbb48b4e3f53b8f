"""Where a job came from: the wire format of its submit, and what answers in that format repeat."""

import msgspec

NATIVE = "native"
"""The dialect of the service's own routes."""
LIBRARY = "library"
"""The dialect of jobs that the media library asks for: endpoints get no event of them, and no output is an item."""
IGNORE_UNSUPPORTED = ("mcp", "openai")
"""Dialects whose clients expect that a field that the model does not use is ignored, and said in a warning. All others
leave it to the model's entry, which may refuse it."""

CHAIN = "chn"
"""The prefix of the ids of chains."""


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a job was asked for; the answers and the callbacks of its dialect are made of it. Empty for a native route.

    `dialect` also says whose names of models the submit used. `model` is the name that was asked for, where the answers
    of the dialect repeat it, `voice` likewise; `tool` the tool of the dialect that made the job; `group` the id of
    several jobs that the dialect shows as one. The outputs of a `temporary` job stay in the media library for a day.
    `warnings` are sentences about what the dialect did not pass on. `body` is a hash of the key and the request, where
    the dialect's clients repeat requests by themselves. `reproduces` is the job that this one makes again, and
    `environment` the digest of what that one was made with. `chain` is the chain that it is a step of.
    """

    dialect: str = NATIVE
    model: str | None = None
    voice: str | None = None
    tool: str | None = None
    group: str | None = None
    temporary: bool = False
    warnings: tuple[str, ...] = ()
    body: str | None = None
    reproduces: str | None = None
    environment: str | None = None
    chain: str | None = None


NATIVE_ORIGIN = Origin()
