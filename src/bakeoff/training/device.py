"""Where a run is computed, and with what precision."""

from __future__ import annotations

import torch

from bakeoff.errors import UsageError


def find_device(name: str) -> torch.device:
    """`auto` (a GPU where there is one), or a device of PyTorch's: cpu, cuda, cuda:1.

    Raises:
        UsageError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UsageError(f"device {name!r}: not on this machine (valid: auto, cpu, cuda, cuda:N)") from None
    return device


def find_precision(asked: str, device: torch.device) -> torch.dtype | None:
    """bfloat16 for autocast, or None for float32; `auto` takes bfloat16 where the hardware multiplies it."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        fast = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.bfloat16 if asked == "bf16" or (asked == "auto" and fast) else None
