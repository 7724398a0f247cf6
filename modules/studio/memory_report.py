"""How much memory there is and who has it, in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modules.studio.engine import Engine

NO_DEVICE = {"error": "The engine runs on the CPU, or has not started yet."}


def memory_report(engine: Engine) -> dict[str, Any]:
    """{"ram": {free, used, total}, "cuda": {…} or {"error": sentence}} as A1111's API has it (spec/api.md §5)."""
    import psutil

    used = psutil.Process().memory_info().rss
    total = psutil.virtual_memory().total
    device = engine.when_started(lambda tools: tools.models.device)
    cuda: dict[str, Any] = dict(NO_DEVICE)
    if device is not None and device.type == "cuda":
        cuda = cuda_report(device)
    return {"ram": {"free": total - used, "used": used, "total": total}, "cuda": cuda}


def cuda_report(device: Any) -> dict[str, Any]:
    """What torch's allocator says of an NVIDIA device."""
    import torch

    free, total = torch.cuda.mem_get_info(device)
    stats = dict(torch.cuda.memory_stats(device))

    def pool(name: str) -> dict[str, int]:
        return {"current": stats[f"{name}_bytes.all.current"], "peak": stats[f"{name}_bytes.all.peak"]}

    return {
        "system": {"free": free, "used": total - free, "total": total},
        "active": pool("active"),
        "allocated": pool("allocated"),
        "reserved": pool("reserved"),
        "inactive": pool("inactive_split"),
        "events": {"retries": stats["num_alloc_retries"], "oom": stats["num_ooms"]},
    }
