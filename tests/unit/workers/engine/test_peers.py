"""Peers that cannot be started or that do not answer; no process is."""

import signal
import socket
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors.failures import ModelLoadFailed
from pipelines.weights.hash_cache import HashCache
from tests.support.checkpoints.specs import spec
from workers.engine import peers as peers_module
from workers.engine.peers import Peers, PeersOutOfStep, SharedModel
from workers.ipc.channel import Channel
from workers.ipc.child_launcher import LaunchedChild
from workers.ipc.messages import PeerCommand, Ready

LOAD = PeerCommand(model="film", where="device")


def test_a_gpu_that_is_named_twice_is_refused_each_time() -> None:
    peers = Peers(("cuda:1", "cuda:0"), HashCache())
    assert 3 == peers.ranks
    for _ in range(2):
        with pytest.raises(ModelLoadFailed, match="name a GPU twice"):
            peers.start("cuda:0")


class Silent:
    """A peer that says what it is given to say when it starts, and nothing more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *first: Ready) -> None:
        ours, theirs = socket.socketpair()
        self.theirs, self.kills = Channel(theirs), 0
        for message in first:
            self.theirs.send(message)
        child = LaunchedChild(SimpleNamespace(kill=self.kill, wait=lambda seconds: -9), Channel(ours))  # type: ignore[arg-type]
        monkeypatch.setattr(peers_module, "ChildLauncher", lambda module: SimpleNamespace(launch=lambda: child))
        monkeypatch.setattr(peers_module, "open_store", lambda: (None, 1))
        monkeypatch.setattr(peers_module, "join", lambda *_: None)

    def kill(self) -> None:
        self.kills += 1
        self.theirs.close()


def test_a_peer_that_does_not_start_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    silent, peers = Silent(monkeypatch), Peers(("cpu",), HashCache())
    monkeypatch.setattr(peers_module, "START_SECONDS", 0.01)
    for _ in range(2):
        with pytest.raises(ModelLoadFailed, match="did not start in time"):
            peers.start("cpu")
    assert 1 == silent.kills


def test_peers_that_cannot_join_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("NCCL")

    silent, peers = Silent(monkeypatch, Ready(device="cpu")), Peers(("cpu",), HashCache())
    monkeypatch.setattr(peers_module, "join", fail)
    for _ in range(2):
        with pytest.raises(ModelLoadFailed, match="cannot reach one another"):
            peers.start("cpu")
    assert 1 == silent.kills


def test_a_peer_that_was_given_up_is_no_zombie(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Silent(monkeypatch)
    process = subprocess.Popen(["sleep", "1000"])
    try:
        child = LaunchedChild(process, Channel(silent.theirs._socket))
        monkeypatch.setattr(peers_module, "ChildLauncher", lambda module: SimpleNamespace(launch=lambda: child))
        monkeypatch.setattr(peers_module, "START_SECONDS", 0.01)
        with pytest.raises(ModelLoadFailed, match="did not start in time"):
            Peers(("cpu",), HashCache()).start("cpu")
        assert -signal.SIGKILL == process.returncode
    finally:
        process.kill()
        process.wait()


def test_a_command_without_an_answer_ends_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    silent, peers = Silent(monkeypatch, Ready(device="cpu")), Peers(("cpu",), HashCache(), lambda rank: None)
    monkeypatch.setattr(peers_module, "LOAD_SECONDS", 0.01)
    peers.start("cpu")
    with pytest.raises(PeersOutOfStep, match="no answer to device of film"):
        peers.command(LOAD)
    silent.kill()


def test_a_model_that_one_peer_cannot_load_leaves_the_others() -> None:
    commands = list[PeerCommand]()

    def command(one: PeerCommand) -> None:
        commands.append(one)
        if one == LOAD:
            raise ModelLoadFailed("rank 2 has no memory")

    model: Any = SimpleNamespace()
    peers: Any = SimpleNamespace(command=command)
    with pytest.raises(ModelLoadFailed, match="rank 2"):
        SharedModel(model, None, 1, None, spec=spec(id="film"), peers=peers)
    assert [LOAD, PeerCommand(model="film", where="disk")] == commands
