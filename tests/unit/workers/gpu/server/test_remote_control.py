"""Server commands as a worker receives them; an invalid one does not reach the supervisor."""

import msgspec
import pytest

from core.errors.conflicts import CommandRefused
from jobs.server_commands import CommandReply, Preload, Recycle, Refresh, Unload, command_arguments
from workers.gpu.server.remote_control import answer


class Recorder:
    """A supervisor that notes its calls."""

    serves = ("flux", "sdxl")

    def __init__(self):
        self.calls = []

    def refresh(self):
        self.calls.append(("refresh",))

    def preload(self, model, pin):
        if pin:
            raise CommandRefused("No room.")
        self.calls.append(("preload", model, pin))

    def unload(self, model):
        self.calls.append(("unload", model))

    def recycle(self):
        self.calls.append(("recycle",))


@pytest.fixture
def recorder():
    return Recorder()


@pytest.mark.parametrize(
    ("command", "call"),
    [
        (Refresh(), ("refresh",)),
        (Preload("flux"), ("preload", "flux", False)),
        (Unload("sdxl"), ("unload", "sdxl")),
        (Unload(), ("unload", None)),
        (Recycle(), ("recycle",)),
    ],
)
def test_a_command_arrives_as_it_was_given(recorder, command, call):
    message = msgspec.json.decode(msgspec.json.encode(command_arguments(command)))  # as the broker carries it
    assert CommandReply(True) == answer(recorder, message["order"])
    assert [call] == recorder.calls


@pytest.mark.parametrize(
    "message",
    [
        None,
        "recycle",
        {},
        {"order": "shutdown"},
        {"order": "preload"},
        {"order": "preload", "model": ""},
        {"order": "preload", "model": "m" * 201},
        {"order": "preload", "model": ["flux"]},
        {"order": "preload", "model": "flux", "pin": 1},
        {"order": "preload", "model": "flux", "path": "/etc/passwd"},
        {"order": "recycle", "argv": ["sh"]},
    ],
)
def test_an_invalid_command_is_refused(recorder, message):
    reply = answer(recorder, message)
    assert (False, "invalid_request") == (reply.taken, reply.code)
    assert [] == recorder.calls


@pytest.mark.parametrize("command", [Preload("../../weights"), Unload("wan")])
def test_a_command_for_another_model_is_refused(recorder, command):
    reply = answer(recorder, command_arguments(command)["order"])
    assert (False, "unknown_model") == (reply.taken, reply.code)
    assert [] == recorder.calls


def test_a_refusal_is_returned(recorder):
    assert CommandReply(False, "order_refused", "No room.") == answer(
        recorder, command_arguments(Preload("flux", pin=True))["order"]
    )
