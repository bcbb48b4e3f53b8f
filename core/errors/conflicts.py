"""Requests that the present state of a server or of a webhook endpoint forbids."""

from core.errors.base import RequestRefused


class WebhookDisabled(RequestRefused):
    """A webhook endpoint that is disabled or was removed, so that nothing is sent to it."""

    code, status = "webhook_disabled", 409
    advice = 'This webhook endpoint is disabled or was removed; PATCH it with {"enabled": true}, then try again.'


class ServerOffline(RequestRefused):
    """A command for a server that is offline."""

    code, status = "server_offline", 409
    advice = "This server is offline and receives no commands; start its worker, then send the request again."


class ServerAlive(RequestRefused):
    """The removal of a server that is online."""

    code, status = "server_alive", 409
    advice = "This server is online; stop its worker, wait until it is offline, then remove it."


class ServerHasJobs(RequestRefused):
    """The removal of a server that waiting jobs are pinned to, without `force`."""

    code, status = "server_has_jobs", 409
    advice = "Waiting jobs are pinned to this server; let them end, cancel them, or remove it with ?force=true."


class CommandRefused(RequestRefused):
    """A command that its server has refused; the detail says why."""

    code, status = "order_refused", 409
    advice = "The server refused this command; see its state in GET /servers/v1."


class JobNotWaiting(RequestRefused):
    """A change of a job that only a waiting one takes."""

    code, status = "job_not_waiting", 409
    advice = "This job has been started or has ended; only the priority of a waiting job can be changed."


class MediaNotReady(RequestRefused):
    """Something that takes the file of an item of the media library, which is not there yet or cannot be used."""

    code, status = "media_not_ready", 409
    advice = "The file of this item is not there yet; wait until its `status` is ready, then send the request again."


class NoSound(RequestRefused):
    """The sound of a job that has ended without one."""

    code, status = "no_sound", 409
    advice = "This job has ended without sound; its status says why."


class JobNotCompleted(RequestRefused):
    """The manifest of a job that has not been completed, or its reproduction."""

    code, status = "job_not_completed", 409
    advice = "Only a completed job has a manifest, and can be made again; read its status."


class JobNotFailed(RequestRefused):
    """The redrive of a job that has not failed, or of which the new job was deleted."""

    code, status = "job_not_failed", 409
    advice = "Only a failed job is done again, once; read its status."


class PromptForgotten(RequestRefused):
    """The reproduction or redrive of a job whose parameters the retention of prompts has removed."""

    code, status = "prompt_forgotten", 409
    advice = "The fields of this job were removed when the retention of prompts ended; submit a new job."


class InputsForgotten(RequestRefused):
    """The reproduction or redrive of a job whose inputs the retention of inputs has removed."""

    code, status = "inputs_forgotten", 409
    advice = "The inputs of this job were removed when their retention ended; submit a new job with the files."


class ModelChanged(RequestRefused):
    """The reproduction of a job that was made with another revision of the model than the catalog has now."""

    code, status = "model_changed", 409
    advice = "The model of this job has another revision now, which makes other pixels; submit a new job to use it."
