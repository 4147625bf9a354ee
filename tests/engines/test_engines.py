"""How a study's runs are executed: side by side, beside other processes, and after workers that were killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import bakeoff
from bakeoff.engines import execute as engines
from bakeoff.errors import BakeoffError
from bakeoff.record import find_runs, read_run, status
from bakeoff.spec.study_file import parse_study

RunText = Callable[..., dict[str, Any]]
STUDY = (Path(__file__).parents[1] / "tiny.toml").read_text()


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 1), (15, 1), (16, 2), (64, 8)])
def test_threads_depend_on_the_machine_alone(monkeypatch: pytest.MonkeyPatch, cores: int, threads: int) -> None:
    monkeypatch.setattr(engines, "cores", lambda: cores)
    assert engines.default_threads() == threads
    assert engines.default_jobs("cpu", threads) == min(cores, 8)
    assert engines.default_jobs("cuda", threads) == 1


def test_a_run_is_the_same_however_many_are_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed or two, one worker or two: the same name holds the same bits; --threads is recorded."""
    monkeypatch.setattr(engines, "cores", lambda: 2)
    study = parse_study(STUDY, "tiny", "tiny.toml")
    bakeoff.run_study(study, out=tmp_path / "one", seeds=1, only="quick")
    bakeoff.run_study(study, out=tmp_path / "jobs", jobs=2)
    bakeoff.run_study(study, out=tmp_path / "told", seeds=1, only="quick", threads=2)
    (single,), (with_threads,) = find_runs(tmp_path / "one"), find_runs(tmp_path / "told")
    beside = tmp_path / "jobs" / "tiny" / single.name
    assert (single / "predictions.npz").read_bytes() == (beside / "predictions.npz").read_bytes()
    assert [read_run(path).environment["threads"] for path in (single, beside, with_threads)] == [1, 1, 2]


def test_every_engine_trains_the_same_bits(tmp_path: Path) -> None:
    for name in engines.ENGINES:
        study = parse_study(STUDY, "tiny", "tiny.toml")
        bakeoff.run_study(study, out=tmp_path / name, engine=name, jobs=1, seeds=1, only="quick")
    here, *others = (_bits(tmp_path / name / "tiny") for name in engines.ENGINES)
    assert len(here) == 1
    assert all(bits == here for bits in others)


# processes beside each other, and workers that are killed

LONG = STUDY.replace("epochs = 1", "epochs = 40")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What each run predicts where one process trains the study."""
    folder = tmp_path_factory.mktemp("alone")
    bakeoff.run_study(parse_study(LONG, "tiny", "tiny.toml"), out=folder, jobs=1)
    return _bits(folder / "tiny")


def _bits(study: Path) -> dict[str, bytes]:
    ended = [path for path in find_runs(study.parent) if status(path) == "finished"]
    return {path.name: (path / "predictions.npz").read_bytes() for path in ended}


def _stray(study: Path) -> list[str]:
    """Locks, temporary files and checkpoints that are left."""
    names = [file.relative_to(study).as_posix() for file in study.rglob("*")]
    return [name for name in names if name.endswith((".lock", ".tmp")) or "checkpoint" in name]


def _at_once(folder: Path, commands: Sequence[Sequence[object]]) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of each `bakeoff run tiny.toml ARGUMENTS`, all begun together."""
    (folder / "tiny.toml").write_text(LONG)
    base = [sys.executable, "-m", "bakeoff.cli", "run", "tiny.toml", "--out", "out", "--checkpoint-seconds", "0.1"]
    processes = [
        subprocess.Popen([*base, *map(str, c)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for c in commands
    ]
    outputs = [process.communicate(timeout=300) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, outputs, strict=True)]


@pytest.mark.parametrize("jobs", [(1, 1, 1, 1), (2, 1)])
def test_processes_share_a_study_or_wait(tmp_path: Path, alone: dict[str, bytes], jobs: tuple[int, ...]) -> None:
    """Two and four at once: each ends well with the whole report, and no bit differs from one process alone."""
    for code, out, err in _at_once(tmp_path, [("--jobs", number, "--json") for number in jobs]):
        assert (code, "Traceback" in err) == (0, False), err
        assert {c["name"]: c["n"] for c in json.loads(out)["contenders"]} == {"slow": 2, "quick": 2}
    assert _bits(tmp_path / "out" / "tiny") == alone
    assert _stray(tmp_path / "out" / "tiny") == []


def test_processes_with_other_contenders_each_print_their_own(tmp_path: Path) -> None:
    """In one folder at once: neither prints the other's summary."""
    names = ("slow", "quick")
    commands = [("--only", name, "--jobs", 1, "--json") for name in names]
    for name, (code, out, err) in zip(names, _at_once(tmp_path, commands), strict=True):
        assert code == 0, err
        assert [c["name"] for c in json.loads(out)["contenders"]] == [name]


HOLD = """
import pathlib, sys
from bakeoff.record.locks import only_process
with only_process(pathlib.Path(sys.argv[1]), "training this run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def _held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Within: another process holds the run's lock, until it is killed or its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_dead_process_holds_no_lock(tmp_path: Path, alone: dict[str, bytes], jobs: int) -> None:
    """What another process trains comes last and is waited for; when that one is killed, it is trained here."""
    (name,) = [name for name in alone if name.startswith("quick-seed0")]
    (tmp_path / "tiny").mkdir()
    trained: list[str] = []
    with _held(tmp_path / "tiny" / name) as holder:

        def done(run: str) -> None:
            trained.append(run)
            if len(trained) == 3:
                threading.Timer(0.5, holder.kill).start()

        with pytest.warns(UserWarning, match=f"waiting for what another process is training: {name}"):
            bakeoff.run_study(parse_study(LONG, "tiny", "tiny.toml"), out=tmp_path, jobs=jobs, done=done)
    assert trained[-1] == name
    assert _bits(tmp_path / "tiny") == alone
    assert _stray(tmp_path / "tiny") == []


def test_restart_leaves_alone_what_another_process_trains(run_text: RunText, tmp_path: Path) -> None:
    run_text(STUDY)
    runs = find_runs(tmp_path)
    for path in runs:
        (path / "kept").touch()
    held = next(path for path in runs if path.name.startswith("quick-seed1"))
    with _held(held):
        with pytest.warns(UserWarning, match=rf"{held.name}: another process is training this run: it is left alone"):
            run_text(STUDY, restart=True)
        assert [path for path in runs if (path / "kept").exists()] == [held]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("kills", [1, 2])
def test_a_killed_worker_costs_one_attempt_of_one_run(tmp_path: Path, alone: dict[str, bytes], kills: int) -> None:
    """Killed once, its run is tried again and ends in the same bits; killed twice it has failed, with its reason. The
    others are as they were, and no process stays behind."""
    study, folder = parse_study(LONG, "tiny", "tiny.toml"), tmp_path / "tiny"
    before, victims = set(_workers()), set[int]()

    def kill() -> None:
        """Kill whichever worker holds the lock of quick's first run, once it has a checkpoint, so many times."""
        while len(victims) < kills:
            for lock in folder.glob(".quick-seed0*.lock"):
                begun = list(folder.glob("quick-seed0*/checkpoint/*.safetensors"))
                for pid in [pid for pid in _workers() if begun and pid not in victims and _has_open(pid, lock)]:
                    os.kill(pid, signal.SIGKILL)
                    victims.add(pid)
            time.sleep(0.002)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    killed = (
        r"quick-seed0-\w+: its worker process was killed by SIGKILL \(often: out of memory.*; it is tried once more"
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.warns(UserWarning, match=killed))
        if kills == 2:
            stack.enter_context(
                pytest.warns(UserWarning, match="quick, seed 0: failed: its worker process was killed by SIGKILL twice")
            )
            stack.enter_context(
                pytest.raises(BakeoffError, match=r"quick-seed0-\w+: its worker process was killed by SIGKILL twice")
            )
        bakeoff.run_study(study, out=tmp_path, jobs=2, checkpoint_seconds=0)
    thread.join()
    assert set(_workers()) <= before
    missing = {name for name in alone if kills == 2 and name.startswith("quick-seed0")}
    assert _bits(folder) == {name: bits for name, bits in alone.items() if name not in missing}
    summary = json.loads((folder / "full" / "summary.json").read_text())
    assert {c["name"]: c["n"] for c in summary["contenders"]} == {"slow": 2, "quick": 2 - len(missing)}
    assert [failure["run"] for failure in summary["failures"]] == sorted(missing)


def _workers() -> list[int]:
    """Ids of this process's worker processes."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent, line = (
                (folder / "stat").read_text().rpartition(")")[2].split()[1],
                (folder / "cmdline").read_bytes(),
            )
            if int(parent) == os.getpid() and b"spawn_main" in line:
                pids.append(int(folder.name))
    return pids


def _has_open(pid: int, file: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(link.readlink() == file for link in Path(f"/proc/{pid}/fd").iterdir())
    return False
