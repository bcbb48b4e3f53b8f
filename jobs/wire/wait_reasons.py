"""The reasons why a job waits: stable codes and sentences."""

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """The reason why a job waits."""

    INPUTS = "inputs"
    BACKOFF = "backoff"
    SERVER_OFFLINE = "server_offline"
    SERVER_CORDONED = "server_cordoned"
    STORE_AWAY = "store_away"
    SERVER_BUSY = "server_busy"
    NO_SERVER_FOR_MODEL = "no_server_for_model"
    TENANT_PAUSED = "tenant_paused"
    TENANT_RUNNING_CAP = "tenant_running_cap"
    QUEUE = "queue"


SENTENCES = {
    Reason.INPUTS: "Its inputs are being fetched and checked, or made by an earlier step of its chain.",
    Reason.BACKOFF: "It is retried after a short pause.",
    Reason.SERVER_OFFLINE: "The server in `server_id` is offline.",
    Reason.SERVER_CORDONED: "Every server that can run it is cordoned or draining.",
    Reason.STORE_AWAY: "The object store takes no results at present; jobs start again as soon as it does.",
    Reason.SERVER_BUSY: "It is next; every server that can run it is busy.",
    Reason.NO_SERVER_FOR_MODEL: "No running server serves its model; GET /models/v1 lists those that are available.",
    Reason.TENANT_PAUSED: "Your queue is paused; POST /jobs/v1/resume starts jobs again.",
    Reason.TENANT_RUNNING_CAP: "You have reached your limit of concurrent jobs.",
    Reason.QUEUE: "Other jobs are ahead of it, or a server is about to start it.",
}


class Waiting(msgspec.Struct, frozen=True):
    """The reason why a job waits: `code` is one of `Reason`, `message` a sentence."""

    code: Reason
    message: str


def waiting_for(reason: Reason) -> Waiting:
    """Return a reason with its sentence."""
    return Waiting(reason, SENTENCES[reason])
