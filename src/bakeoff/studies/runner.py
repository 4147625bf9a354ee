"""Run a study: check it, train what is missing, write its report."""

from __future__ import annotations

import dataclasses
import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff import record
from bakeoff.data import Dataset, load_dataset
from bakeoff.engines.execute import Failure, cores, default_threads, interruptible
from bakeoff.errors import BakeoffError, MissingData, RunsFailed, UsageError, closest
from bakeoff.models import find_model
from bakeoff.record import Run
from bakeoff.report.sections import check_sections
from bakeoff.spec import Contender, Recipe, RunSpec
from bakeoff.spec.choices import parse_choice, validate
from bakeoff.spec.plugins import check_plugins
from bakeoff.spec.scales import at_scale, split_names
from bakeoff.spec.study import Study
from bakeoff.spec.study_parts import Failed
from bakeoff.studies.merging import merge_points
from bakeoff.studies.packaged import find_study
from bakeoff.studies.reporting import collect, render
from bakeoff.studies.rounds import Rounds, has_ended
from bakeoff.studies.sequential import MAX_SEEDS, on_fresh_seeds
from bakeoff.studies.sequential import until_decided as add_seeds
from bakeoff.training.options import Progress, RunOptions


def check_study(study: Study, datasets: Mapping[str, Dataset]) -> Study:
    """The study with every model's parameters spelled out, each built once without weights, and without the points
    of sweeps that are, so spelled out, another contender.

    Raises:
        UsageError: an unknown model, parameter, augmentation or section, or one unfit for its dataset.
    """
    from bakeoff.training.run import check_spec, check_tta

    check_sections(study)
    first = {spec.contender: spec for spec in study.runs() if spec.seed == 0}
    contenders = []
    for contender in study.contenders:
        try:
            data, spec = datasets[study.dataset_of(contender)], first[contender.name]
            if contender.ensemble:
                check_tta(contender.recipe, data)
            else:
                spec = check_spec(spec, data)
                check_teacher(contender, study, datasets)
        except UsageError as error:
            raise UsageError(f"study {study.name}, contender {contender.name}: {error}") from None
        contenders.append(contender.model_copy(update={"parameters": spec.parameters}))
    return merge_points(study.model_copy(update={"contenders": tuple(contenders)}))


def check_teacher(pupil: Contender, study: Study, datasets: Mapping[str, Dataset]) -> None:
    """That the pupil's teacher, if any, is a run or a contender that can answer its images.

    Raises:
        UsageError: it is not.
    """
    name, teachers = pupil.recipe.teacher, {c.name: c for c in study.contenders}
    if name in teachers:
        theirs, ours = (datasets[study.dataset_of(c)] for c in (teachers[name], pupil))
        if (theirs.classes, theirs.shape) != (ours.classes, ours.shape):
            said = f"{theirs.name}, and {ours.name} has other classes or images of another size"
            raise UsageError(f"teacher {name!r}: is trained on {said}")
    elif name and not (Path(name) / "run.json").is_file():
        raise UsageError(f"teacher {name!r}: neither a contender nor the directory of a run{closest(name, teachers)}")


def run_study(
    study: Study | str,
    *,
    scale: str = "full",
    seeds: int | None = None,
    only: Iterable[str] = (),
    datasets: Iterable[str] = (),
    out: Path | str = "runs",
    device: str = "auto",
    jobs: int | None = None,
    threads: int | None = None,
    checkpoint_seconds: float = 60.0,
    restart: bool = False,
    until_decided: bool = False,
    max_seeds: int = MAX_SEEDS,
    show: Callable[[Progress], None] = lambda _: None,
    begin: Callable[[int, int], None] = lambda _total, _missing: None,
    done: Callable[[str], None] = lambda _: None,
    **recipe: Any,
) -> dict[str, Any]:
    """Train what is missing of a study, write its report to `out`/NAME/, and return its summary.

    Args:
        study: a Study, a packaged name or a path.
        scale: one of the study's scales.
        seeds: seeds per contender instead of the scale's.
        only: names of contenders, each item one name or several with commas between them; the others are left out.
        datasets: of those that the study is about; the others are left out. Unless they are asked for, some that are
            not at hand are left out as well, with a warning and a line on the page.
        device: auto, cpu, cuda, cuda:N.
        jobs: runs trained side by side; by default as many as the cores have room for, one on a GPU.
        threads: CPU threads of each run; by default decided by the machine alone (`default_threads`), so that the
            same run holds the same bits however many are trained beside it.
        restart: train anew what is finished or half done.
        until_decided: add seeds, instead of a number of them, until contenders are decided (`sequential`).
        max_seeds: with `until_decided`, seeds of a contender at the most, 2 or more.
        show, begin, done: are told of progress, of how many runs there are and are missing, and of each end; `begin`
            once for each round of training.
        recipe: fields of `Recipe` that every contender takes instead of its own.

    Raises:
        UsageError: what was asked for cannot be.
        BakeoffError: data missing or damaged.
        RunsFailed: runs that could not be trained; the report, with the others, is written.
        Interrupted: Ctrl-C; the same call goes on.
    """
    whole = find_study(study) if isinstance(study, str) else study
    cuts: dict[str, Any] = {
        "seeds": seeds,
        "only": split_names(whole, (only,) if isinstance(only, str) else only),
        "datasets": (datasets,) if isinstance(datasets, str) else tuple(datasets),
        "recipe": recipe,
    }
    if until_decided and seeds:
        raise UsageError(f"seeds = {seeds}: until_decided adds seeds by itself; say max_seeds instead")
    adding = max_seeds if until_decided else None
    command = _command(study, scale, threads=threads, max_seeds=adding, **cuts)
    for name, number in {"jobs": jobs, "seeds": seeds, "threads": threads}.items():
        if number is not None and number < 1:
            raise UsageError(f"{name} = {number}: must be 1 or more")
    study, loaded = _at_hand(whole, scale, cuts)
    from bakeoff.training.device import find_device

    find_device(device)
    study = check_study(study.model_copy(update={"command": command}), loaded)
    folder = record.make_folder(Path(out) / study.name)
    _say_what_is_replaced(folder, study)
    threads = threads or default_threads()
    options = RunOptions(threads=threads, device=device, checkpoint_seconds=checkpoint_seconds, progress=show)
    with interruptible() as stop:
        options = dataclasses.replace(options, stop=stop)
        rounds = Rounds(folder, loaded, options, jobs, restart, begin, done)
        if until_decided:
            study = add_seeds(study, max_seeds, rounds, lambda part: collect(part, folder)[0])
        else:
            study = rounds(study, last=not study.confirms)
        study = study.model_copy(update={"failed": tuple(map(_failed, rounds.failures))})
        summary = render(study, folder)
        if study.confirms and (fresh := on_fresh_seeds(study, summary)):
            names = rounds(fresh, last=True, whole=False).records
            study = study.model_copy(update={"fresh": names})
            summary = render(study, folder)
    lost = [each["reason"] for each in summary["failures"] if each["kind"] in ("damaged", "unreadable")]
    failures = [*map(str, rounds.failures), *lost]
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise RunsFailed(f"{failures[0]}{more}; the other runs are in {folder / 'report.html'}", summary)
    return summary


def _failed(failure: Failure) -> Failed:
    spec, name = failure.work.spec, failure.work.path.name
    return Failed(contender=spec.contender, seed=spec.seed, run=name, kind="failed", reason=failure.reason)


def _at_hand(whole: Study, scale: str, cuts: Mapping[str, Any]) -> tuple[Study, dict[str, Dataset]]:
    """The study cut to a scale and to what is asked for, and its datasets by name. What is not at hand, a dataset or
    the weights that a contender starts from, is left out with a warning and a line among the cuts.

    Raises:
        MissingData: it was asked for by name, or nothing else is left.
    """
    study = at_scale(whole, scale, **cuts)
    loaded, absent = _load(study)
    if absent and (cuts["datasets"] or not loaded):
        raise next(iter(absent.values()))
    cuts = {**cuts, "datasets": tuple(loaded)} if absent else cuts
    study = at_scale(whole, scale, **cuts)
    lacking = _lacking_weights(study)
    if lacking and (any(name in cuts["only"] for name in lacking) or len(lacking) == len(study.contenders)):
        raise next(iter(lacking.values()))
    study = at_scale(whole, scale, **cuts, without=lacking) if lacking else study
    said = [f"{name}: not at hand, `bakeoff data fetch {name}` gets it" for name in absent]
    models = {name: whole.contender(name).model for name in lacking}
    said += [f"{n}: its weights are not at hand, `bakeoff data fetch weights/{m}` gets them" for n, m in models.items()]
    for error in absent.values():
        warnings.warn(f"study {study.name} goes on without {error}", stacklevel=3)
    for name, error in lacking.items():
        warnings.warn(f"study {study.name} goes on without contender {name}: {error}", stacklevel=3)
    return study.model_copy(update={"cuts": (*study.cuts, *said)}), {name: loaded[name] for name in study.datasets}


def _lacking_weights(study: Study) -> dict[str, MissingData]:
    """A sentence on each contender whose published weights are not at hand."""
    lacking = {}
    for contender in study.contenders:
        if not contender.recipe.weights:
            continue
        from bakeoff.models.weights import find_weights

        try:
            find_weights(contender.recipe.weights, contender.model)
        except MissingData as error:
            lacking[contender.name] = error
        except BakeoffError:
            pass  # what is wrong with them is said when the study is checked
    return lacking


def _load(study: Study) -> tuple[dict[str, Dataset], dict[str, MissingData]]:
    """The study's datasets by name, and a sentence on each that is not at hand."""
    loaded, absent = {}, {}
    for name in study.datasets:
        try:
            loaded[name] = load_dataset(name, validation=study.validation, images=study.images)
        except MissingData as error:
            absent[name] = error
    return loaded, absent


def _say_what_is_replaced(folder: Path, study: Study) -> None:
    """A sentence where the report that lies in `folder` came from another command: its runs stay, its page goes."""
    try:
        before = record.read_study(folder / "study.json")
    except BakeoffError:
        return
    if before.command != study.command:
        warnings.warn(f"{folder}: the report of `{before.command}` is replaced; its runs are kept", stacklevel=3)


def _command(
    study: Study | str,
    scale: str,
    seeds: int | None,
    only: Sequence[str],
    datasets: Sequence[str],
    recipe: Mapping[str, Any],
    threads: int | None,
    max_seeds: int | None,
) -> str:
    """The command line that does what a call of `run_study` does."""
    words = ["bakeoff", "run", study if isinstance(study, str) else study.name]
    words += ["--scale", scale] if scale != "full" else []
    words += ["--seeds", str(seeds)] if seeds else []
    words += ["--until-decided", "--max-seeds", str(max_seeds)] if max_seeds else []
    words += [word for name in only for word in ("--only", name)]
    words += [word for name in datasets for word in ("--dataset", name)]
    words += ["--threads", str(threads)] if threads else []
    for key, value in recipe.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            values = value if isinstance(value, list | tuple) else [value]
            words += [word for one in values for word in (f"--{flag}", str(one))]
    return shlex.join(words)


def train(
    dataset: str,
    model: str,
    *,
    seed: int = 0,
    validation: float = 1 / 6,
    images: int | None = None,
    out: Path | str = "runs",
    device: str = "auto",
    threads: int | None = None,
    checkpoint_seconds: float = 60.0,
    show: Callable[[Progress], None] = lambda _: None,
    begin: Callable[[int, int], None] = lambda _total, _missing: None,
    **recipe: Any,
) -> Run:
    """Train one model on one dataset, or go on where an interrupted call stopped; returns its record.

    Args:
        dataset: a name or a path, perhaps with options: `mnist`, `./letters:size=28,resize=pad`.
        model: a name in the MODELS table, perhaps with parameters: `small_cnn:width=100,dropout=0.5`.
        validation: part of the training images drawn for validation, where the data bring no such split.
        images: training images, a stratified choice; None: all.
        threads: CPU threads, 1 or more; None: all cores.
        show, begin: are told of progress, and of whether the run is missing.
        recipe: fields of `Recipe`.

    Raises:
        UsageError, BakeoffError: what was asked for cannot be, in one sentence.
        Interrupted: Ctrl-C; the same call goes on.
    """
    name, parameters = parse_choice(model)
    chosen = validate(Recipe, recipe, "recipe")
    label = re.sub(r"[^A-Za-z0-9._=+,-]+", "-", model)[:80]
    plain = {"contender": label, "model": name, "parameters": dict(parameters), "dataset": dataset}
    sizes = {"validation": validation, "images": images, "seed": seed}
    spec = validate(RunSpec, {**plain, **sizes, "recipe": chosen}, "train")
    return _train_one(spec, out, device, threads, checkpoint_seconds, show, begin)


def train_further(
    parent: Path | str,
    *,
    out: Path | str = "runs",
    device: str = "auto",
    threads: int | None = None,
    checkpoint_seconds: float = 60.0,
    show: Callable[[Progress], None] = lambda _: None,
    begin: Callable[[int, int], None] = lambda _total, _missing: None,
    **recipe: Any,
) -> Run:
    """Train a finished run's network further, as a new run whose record names the parent's weights; returns its record.

    Args:
        parent: the finished run's directory; model, data, seed and recipe are its own.
        recipe: fields of `Recipe` instead of the parent's. Optimiser and schedule begin anew.

    The others are those of `train`, and so is what is raised.
    """
    before = record.read_run(Path(parent))
    if before.status != "finished":
        raise UsageError(f"{parent}: {before.status}, not finished: only a finished run can be trained further")
    record.check_weights(before)
    check_plugins(before.environment.get("plugins", {}), str(parent))
    own = {**before.spec.recipe.model_dump(), "weights": str(parent)}
    if before.pool and (beside := before.path.parent / before.pool["teacher"]).is_dir():
        own["teacher"] = str(beside)  # a study names the teacher as a contender; its run lies beside the pupil's
    chosen = validate(Recipe, {**own, **recipe}, "recipe")
    spec = before.spec.model_copy(update={"recipe": chosen})
    return _train_one(spec, out, device, threads, checkpoint_seconds, show, begin)


def _train_one(
    spec: RunSpec,
    out: Path | str,
    device: str,
    threads: int | None,
    checkpoint_seconds: float,
    show: Callable[[Progress], None],
    begin: Callable[[int, int], None],
) -> Run:
    if threads is not None and threads < 1:
        raise UsageError(f"threads = {threads}: must be 1 or more")
    find_model(spec.model)
    data = load_dataset(spec.dataset, validation=spec.validation, images=spec.images)

    from bakeoff.training.device import find_device
    from bakeoff.training.digest import find_run
    from bakeoff.training.run import check_spec, train_run

    find_device(device)
    spec = check_spec(spec, data)
    path = find_run(record.make_folder(Path(out)), spec, data)
    begin(1, 0 if has_ended(path) else 1)
    threads = threads or cores()
    options = RunOptions(threads=threads, device=device, checkpoint_seconds=checkpoint_seconds, progress=show)
    with interruptible() as stop:
        run = train_run(spec, data, path, dataclasses.replace(options, stop=stop))
    for note in (*run.notes, *record.earlier_note([run])):
        warnings.warn(note, stacklevel=3)
    return run
