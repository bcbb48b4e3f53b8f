"""The facts that a heartbeat writes: what this server is, what it can do and what it does."""

from jobs.wire.servers import ServerFacts
from workers.gpu.claim_gate import ClaimGate
from workers.gpu.job.pipeline import JobServices
from workers.gpu.server.lease import ServerLease
from workers.gpu.server.offer import ServerOffer


def describe_server(offer: ServerOffer, lease: ServerLease, gate: ClaimGate, services: JobServices) -> ServerFacts:
    """Return the facts as they are now."""
    computing, ready, inventory = services.slots.computing, services.engine.ready, services.engine.inventory
    return ServerFacts(
        state="clock_skewed" if lease.skewed else _state(gate, services),
        device=ready.device,
        problem=services.store_watch.problem,
        memory_total=ready.memory_total,
        memory_used=inventory.memory_used,
        serves=offer.models,
        resident=inventory.on_device,
        models=inventory.models,
        current_job=computing.job.id if computing else None,
        dedicated=offer.dedicated,
        versions=ready.versions,
    )


def _state(gate: ClaimGate, services: JobServices) -> str:
    if gate.is_draining or gate.desired == "draining":
        return "draining" if gate.is_draining or services.slots.jobs else "drained"
    if services.store_watch.is_away:
        return "store_away"
    return "busy" if services.slots.computing else "idle"
