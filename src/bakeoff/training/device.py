"""Where a run is computed, with what precision, and under which of PyTorch's global settings."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from bakeoff.errors import UsageError

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
"""The environment variable without which cuBLAS is not deterministic."""


def find_device(name: str) -> torch.device:
    """`auto` (a GPU of CUDA's where there is one, else the CPU), cpu, cuda or cuda:N.

    Raises:
        UsageError: no such device on this machine, or one of another kind: training needs float64, which mps lacks.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise UsageError(f"device {name!r}: not supported (valid: auto, cpu, cuda, cuda:N)")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UsageError(f"device {name!r}: not on this machine (valid: auto, cpu, cuda, cuda:N)") from None
    return device


def find_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """bfloat16 for autocast, or None for float32; `auto` takes bfloat16 where the hardware multiplies it."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        fast = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return torch.bfloat16 if precision == "bf16" or (precision == "auto" and fast) else None


@contextlib.contextmanager
def computing(device: torch.device, threads: int) -> Iterator[None]:
    """Within: `threads` CPU threads, float32 that is never rounded to TensorFloat-32, and deterministic kernels.

    On a GPU a kernel without a deterministic form is used all the same, with PyTorch's warning. Afterwards threads,
    flags and PyTorch's global generators are as they were.
    """
    gpu = device.type == "cuda"
    with contextlib.ExitStack() as restored:
        restored.callback(torch.set_num_threads, torch.get_num_threads())
        restored.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        restored.enter_context(torch.random.fork_rng([device] if gpu else []))
        cudnn = {"enabled": torch.backends.cudnn.enabled, "deterministic": True, "allow_tf32": False}
        restored.enter_context(torch.backends.cudnn.flags(**cudnn))
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        if gpu:
            only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
            restored.callback(
                torch.use_deterministic_algorithms, torch.are_deterministic_algorithms_enabled(), warn_only=only_warns
            )
            torch.use_deterministic_algorithms(True, warn_only=True)
            if CUBLAS not in os.environ:
                os.environ[CUBLAS] = ":4096:8"
                restored.callback(os.environ.pop, CUBLAS, None)
        yield


def seed_generators(device: torch.device, seed: int) -> None:
    """Seed the global generators of the CPU and of `device`, and no other device's as torch.manual_seed does."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
