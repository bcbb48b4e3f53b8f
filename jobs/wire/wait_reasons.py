"""The reasons why a job waits: stable codes and sentences."""

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """The reason why a job waits."""

    INPUTS = "inputs"
    BACKOFF = "backoff"
    SERVER_OFFLINE = "server_offline"
    SERVER_CORDONED = "server_cordoned"
    SERVER_BUSY = "server_busy"
    NO_SERVER_FOR_MODEL = "no_server_for_model"
    TENANT_RUNNING_CAP = "tenant_running_cap"
    QUEUE = "queue"


SENTENCES = {
    Reason.INPUTS: "Its inputs are being fetched and checked.",
    Reason.BACKOFF: "It is tried again after a short pause.",
    Reason.SERVER_OFFLINE: "The server that it asks for is not running.",
    Reason.SERVER_CORDONED: "Every server that could run it is cordoned and takes no jobs.",
    Reason.SERVER_BUSY: "It is next; every server that could run it is busy.",
    Reason.NO_SERVER_FOR_MODEL: "No running server that may take it serves its model.",
    Reason.TENANT_RUNNING_CAP: "As many of your jobs are running as you may have running at once.",
    Reason.QUEUE: "Other jobs are ahead of it, or a server is about to take it.",
}


class Waiting(msgspec.Struct, frozen=True):
    """The reason why a job waits: `code` is one of `Reason`, `message` a sentence."""

    code: Reason
    message: str


def waiting_for(reason: Reason) -> Waiting:
    """Return a reason with its sentence."""
    return Waiting(reason, SENTENCES[reason])
