"""Locks between processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from bakeoff.errors import BakeoffError


class Locked(BakeoffError):
    """Another process holds the lock."""


@contextlib.contextmanager
def only_process(path: Path, doing: str, timeout: float = 0.0) -> Iterator[None]:
    """Within: no other process is within the same for `path`. The lock ends with its process, however that ends.

    Its file lies beside `path`, whose directory must exist, so that `path` may be deleted or renamed meanwhile; it is
    removed at the end. Another process that waits for it notices that (filelock looks at the file's link count).

    Args:
        doing: what this is for, for the sentence of another process: `training this run`.
        timeout: seconds to wait for another process.

    Raises:
        Locked: another process is at it.
        BakeoffError: there can be no lock there.
    """
    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(file)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise Locked(f"{path}: another process is {doing}") from None
    except OSError as error:
        raise BakeoffError(f"{file}: cannot be locked: {error.strerror}") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps a file that is open
            file.unlink()
        lock.release()
