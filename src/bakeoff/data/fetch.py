"""Downloads of the published files: mirrors in order, resumed where they broke off, checked, then renamed."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bakeoff.data.sources import SOURCES
from bakeoff.errors import BakeoffError, UsageError, closest
from bakeoff.files import sha256
from bakeoff.record import data_folders, make_folder

TIMEOUT = 30.0
"""Seconds without a byte after which a mirror is given up."""

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that are here and the bytes it will have."""


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Download what is missing of source `name` into the user's cache; returns that folder.

    Only files with the published SHA-256 ever get their final name. Raises UsageError for a name that has
    nothing to download; BakeoffError, with each mirror's fault, when no mirror delivers.
    """
    remote = {key: source for key, source in SOURCES.builtin.items() if source.files}
    if name not in remote:
        raise UsageError(f"dataset {name!r} is not one that is downloaded{closest(name, remote)}")
    return download(name, remote[name].files, remote[name].mirrors, data_folders(name)[-1], progress)


def download(
    name: str, files: Mapping[str, str], mirrors: Sequence[str], folder: Path, progress: Progress | None = None
) -> Path:
    """Download what is missing of `files` into `folder`; returns the folder.

    Args:
        name: what they are, for error sentences.
        files: the SHA-256 of each file by its name, or what it begins with.
        mirrors: addresses of folders with the files, in the order to try.

    Raises:
        BakeoffError: no mirror delivers; with each one's fault.
    """
    make_folder(folder)
    for file, expected in files.items():
        target = folder / file
        if target.exists() and sha256(target).startswith(expected):
            continue
        faults: list[str] = []
        for mirror in mirrors:
            try:
                _download(f"{mirror}{file}", target, expected, progress)
                break
            except (OSError, http.client.HTTPException) as error:
                faults.append(f"{urlsplit(mirror).netloc}: {getattr(error, 'reason', error)}")
        else:
            raise BakeoffError(
                f"{file} of {name} could not be downloaded ({'; '.join(faults)}): try again later, "
                f"or put {', '.join(files)} into {folder}"
            )
    return folder


def _download(url: str, target: Path, expected: str, progress: Progress | None) -> None:
    """Bring `url` to `target`. Raises OSError or HTTPException; what a broken download brought stays in .part."""
    part = target.with_name(f"{target.name}.part")
    while True:
        before = _size(part)
        try:
            _transfer(url, part, target.name, progress)
            break
        except (OSError, http.client.HTTPException):
            if _size(part) <= before:
                raise
    if not sha256(part).startswith(expected):
        part.unlink()
        raise OSError("what it sent is not the published file (SHA-256 differs)")
    part.replace(target)


def _transfer(url: str, part: Path, name: str, progress: Progress | None) -> None:
    """Append to `part` the bytes it lacks. Raises OSError or HTTPException where fewer come."""
    here = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is left to send
        raise
    with response, part.open("ab") as out:
        if response.status != http.client.PARTIAL_CONTENT:  # the mirror does not resume: it sends all again
            out.truncate(0)
            here = 0
        total = here + int(response.headers.get("Content-Length", 0))
        while chunk := response.read(1 << 16):
            out.write(chunk)
            here += len(chunk)
            if progress:
                progress(name, here, total)
        out.flush()
        os.fsync(out.fileno())
    if here < total:
        raise ConnectionError(f"the transfer broke off at {here} of {total} bytes")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
