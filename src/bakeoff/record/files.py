"""Files: written whole or not at all, read with one sentence for what fails. Every file of a verb goes through here."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import io
import json
import os
import platform
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from bakeoff.errors import BakeoffError, UsageError
from bakeoff.files import check_regular

HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
"""Marks the temporary files of this machine, among those of others on a shared file system."""
PROCESS = secrets.token_hex(4)
"""Marks those of this process, since a later one may get the same number."""


def reason(error: OSError) -> str:
    """What the operating system says of a failure, in lower case: `no space left on device`."""
    text = error.strerror or str(error) or type(error).__name__
    return text[0].lower() + text[1:]


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write that becomes `path` at the end of the block, whole, or not at all, whenever the process
    or the machine stops. What a killed process left of the same file is removed.

    Raises:
        BakeoffError: it cannot be written; `path` is as it was.
    """
    temporary = path.with_name(f".{path.name[:100]}.{HOST}-{os.getpid()}-{PROCESS}-{secrets.token_hex(2)}.tmp")
    try:
        _remove_temporary(path.parent, path.name)
        with io.BufferedWriter(io.FileIO(temporary, "x"), 1 << 20) as file:
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - tests replace the system's calls in one module
        _sync_folder(path.parent)
    except OSError as error:
        _cannot(path, "written", error)
    finally:
        with contextlib.suppress(OSError):  # it is `path` now, or could not be made
            temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """The rename itself survives a power cut, where the system can promise that of folders."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):  # a file system without it; a drop box
            raise


def _cannot(path: Path, verb: str, error: OSError) -> NoReturn:
    raise BakeoffError(f"{path}: cannot be {verb}: {reason(error)}") from None


def write_atomic(path: Path, data: bytes) -> None:
    """`data` in `path`, whole or not at all, whenever the process or the machine stops.

    Raises:
        BakeoffError: it cannot be written; `path` is as it was.
    """
    with atomic_file(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    write_atomic(path, (strict_json(value, indent=2) + "\n").encode())


def strict_json(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """`value` as JSON that any reader takes: a number that is not finite is an error of the program.

    Raises:
        ValueError: NaN or an infinity in it.
    """
    return json.dumps(value, indent=indent, sort_keys=sort_keys, allow_nan=False)


def parse_json(text: str | bytes) -> Any:
    """The value of JSON text.

    Raises:
        ValueError: no JSON: NaN and Infinity, which Python would take, included; or nested too deep.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        BakeoffError: it cannot be read, whatever the reason; nothing is known of its content.
    """
    try:
        check_regular(path)
        return path.read_bytes()
    except OSError as error:
        _cannot(path, "read", error)


def exists(path: Path) -> bool:
    """True where a file or folder is there.

    Raises:
        BakeoffError: the system does not say, for lack of permission or a failing disk.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        _cannot(path, "read", error)
    return True


def make_folder(path: Path) -> Path:
    """`path`, made where it is not there yet.

    Raises:
        UsageError: a file is in the way, or it may not be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be a folder: {reason(error)}") from None
    return path


def _remove_temporary(folder: Path, name: str) -> None:
    """Remove what ended processes of this machine left half-written of the file `name` in `folder`."""
    for file in folder.glob(f".{glob.escape(name[:100])}.{HOST}-*.tmp"):
        number, process = file.name.rsplit(f".{HOST}-", 1)[1].split("-")[:2]
        if process != PROCESS and (int(number) == os.getpid() or not _is_alive(int(number))):
            file.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if os.name == "posix":  # elsewhere os.kill would end it
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass
    return True
