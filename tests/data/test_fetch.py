from __future__ import annotations

import gzip
import hashlib
import re
import socket
import struct
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bakeoff.data import SOURCES, load_dataset
from bakeoff.data.fetch import fetch
from bakeoff.errors import BakeoffError, UsageError

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@dataclass
class Mirror:
    """A web server on this machine, and the ways in which it may fail."""

    files: dict[str, bytes]
    breaks: int = 0
    """So many transfers end after half of what was requests."""
    ranges: bool = True
    address: str = ""
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def serve():
    servers: list[ThreadingHTTPServer] = []

    def start(mirror: Mirror) -> Mirror:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name, wanted = self.path[1:], self.headers["Range"]
                mirror.requests.append((name, wanted))
                content = mirror.files.get(name)
                if content is None:
                    return self.send_error(404)
                start = int(re.findall(r"\d+", wanted)[0]) if wanted and mirror.ranges else 0
                if start >= len(content):
                    return self.send_error(416)
                body = content[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if mirror.breaks:
                    mirror.breaks -= 1
                    body = body[: len(body) // 2]
                self.wfile.write(body)
                return None

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        mirror.address = f"http://127.0.0.1:{server.server_port}/"
        return mirror

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def contents() -> dict[str, bytes]:
    images, labels = struct.pack(">4i", 0x803, 60, 2, 2), struct.pack(">2i", 0x801, 60)
    return {
        f"{part}-{kind}-ubyte.gz": gzip.compress(data, mtime=0)
        for part in ("train", "t10k")
        for kind, data in {
            "images-idx3": images + bytes(range(240)),
            "labels-idx1": labels + bytes(n % 10 for n in range(60)),
        }.items()
    }


@pytest.fixture
def publish(tmp_path, monkeypatch, contents):
    """Makes mirrors those of `mnist`; returns the folder where its files will be."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("BAKEOFF_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    inside = {
        name.removesuffix(".gz"): hashlib.sha256(gzip.decompress(content)).hexdigest()
        for name, content in contents.items()
    }

    def set_mirrors(*mirrors: str) -> Path:
        monkeypatch.setitem(
            SOURCES.builtin, "mnist", replace(SOURCES["mnist"], files=files, contents=inside, mirrors=mirrors)
        )
        return tmp_path / "bakeoff" / "mnist"

    return set_mirrors


def unreachable() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def files_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_what_is_fetched_can_be_loaded(serve, publish, contents):
    mirror = serve(Mirror(contents))
    folder, seen = publish(mirror.address), []
    assert fetch("mnist", lambda *progress: seen.append(progress)) == folder
    assert files_in(folder) == contents
    assert seen == [(name, len(content), len(content)) for name, content in contents.items()]
    assert len(load_dataset("mnist").test) == 60
    requests = len(mirror.requests)
    fetch("mnist")
    assert len(mirror.requests) == requests == 4  # what is there is not fetched again


def test_a_broken_transfer_goes_on_where_it_broke(serve, publish, contents):
    mirror = serve(Mirror(contents, breaks=2))
    folder = publish(mirror.address)
    fetch("mnist")
    assert files_in(folder) == contents
    name, length = next((name, len(content)) for name, content in contents.items())
    first, second = length // 2, length // 2 + (length - length // 2) // 2
    assert mirror.requests[:3] == [(name, None), (name, f"bytes={first}-"), (name, f"bytes={second}-")]


def test_another_command_and_another_mirror_go_on_too(serve, publish, contents):
    name = "train-images-idx3-ubyte.gz"
    folder = publish(unreachable(), serve(second := Mirror(contents)).address)
    folder.mkdir(parents=True)
    (folder / f"{name}.part").write_bytes(contents[name][:50])
    (folder / "t10k-images-idx3-ubyte.gz.part").write_bytes(contents["t10k-images-idx3-ubyte.gz"])
    fetch("mnist")
    assert files_in(folder) == contents
    assert second.requests[0] == (name, "bytes=50-")


def test_a_mirror_that_cannot_resume_sends_all_again(serve, publish, contents):
    mirror = serve(Mirror(contents, breaks=1, ranges=False))
    folder = publish(mirror.address)
    fetch("mnist")
    assert files_in(folder) == contents


def test_a_mirror_that_always_breaks_is_given_up(serve, publish, contents):
    hopeless = serve(Mirror(contents, breaks=10**6, ranges=False))
    folder = publish(hopeless.address, serve(Mirror(contents)).address)
    fetch("mnist")
    assert files_in(folder) == contents
    assert len(hopeless.requests) == 8  # a second try that brings no more is the last


def test_another_file_than_the_published_one_is_refused(serve, publish, contents):
    forged = {name: gzip.compress(b"forged") for name in contents}
    folder = publish(serve(Mirror(forged)).address, serve(Mirror(contents)).address)
    fetch("mnist")
    assert files_in(folder) == contents
    folder = publish(serve(Mirror(forged)).address)
    for file in folder.iterdir():
        file.write_bytes(b"damaged since")
    with pytest.raises(BakeoffError, match=r"not the published file \(SHA-256 differs\)"):
        fetch("mnist")
    assert set(files_in(folder).values()) == {b"damaged since"}  # nothing forged stays, not even as .part


def test_when_no_mirror_answers_one_sentence_says_what_to_do(serve, publish):
    empty = serve(Mirror({}))
    folder = publish(unreachable(), empty.address)
    with pytest.raises(BakeoffError) as caught:
        fetch("mnist")
    sentence = str(caught.value)
    assert sentence.startswith("train-images-idx3-ubyte.gz of mnist could not be downloaded (127.0.0.1:")
    assert "refused" in sentence
    assert "Not Found" in sentence
    assert sentence.endswith(f"t10k-labels-idx1-ubyte.gz into {folder}")
    assert files_in(folder) == {}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("digits", "'digits' is not one that is downloaded"),
        ("largest-digit", "'largest-digit' is not one that is downloaded"),
        ("fashion", r"'fashion' is not one that is downloaded \(closest: fashion-mnist\)"),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence(name, sentence):
    with pytest.raises(UsageError, match=sentence):
        fetch(name)


def test_a_cache_that_cannot_be_made_is_one_sentence(publish, tmp_path):
    publish("http://127.0.0.1/")
    (tmp_path / "bakeoff").touch()
    with pytest.raises(BakeoffError, match="cannot be a folder: not a directory"):
        fetch("mnist")
