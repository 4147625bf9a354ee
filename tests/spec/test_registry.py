"""Registries: what is chosen by name and settings, and what plug-ins add."""

import sys
from pathlib import Path

import pytest
from pydantic import Field

from bakeoff.errors import BakeoffError, UsageError
from bakeoff.spec import plugins
from bakeoff.spec.plugins import check_plugins, load_plugin
from bakeoff.spec.registry import Entry, Registry
from bakeoff.spec.settings import Frozen


class Shape(Frozen):
    """What all shapes have."""

    def area(self) -> float:
        raise NotImplementedError


class Square(Shape):
    """All sides equal.

    More of it.
    """

    side: float = Field(2.0, gt=0)

    def area(self) -> float:
        return self.side**2


def blur(image: str, *, times: int = 1, strong: bool = False) -> str:
    """Less
    sharp."""
    return image * times + "!" * strong


SHAPES: Registry[Entry[Shape]] = Registry("shape", {"square": Entry(Square)})
FILTERS: Registry[Entry[Frozen]] = Registry(
    "filter", {"blur": Entry(blur), "lazy": Entry("bakeoff.errors:closest", Square)}, group="augmentations"
)


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "FILES", {})


def write(folder: Path, text: str, name: str = "mine") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    return folder / f"{name}.py"


def install(folder: Path, *, version: str = "1.5", name: str = "addons", body: str = "") -> None:
    """A package as pip leaves it, with one entry point."""
    (folder / f"{name}.py").write_text(body or "def grow(image, *, times: int = 2): 'Larger.'\n")
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[bakeoff.augmentations]\ngrow = {name}:grow\n")


def test_settings_with_methods_are_chosen_as_text() -> None:
    name, square = SHAPES.choose("square:side=3")
    assert (name, square.area()) == ("square", 9.0)
    assert SHAPES.menu() == "square:side=2"
    assert SHAPES["square"].about == "All sides equal."


def test_settings_of_a_function_are_its_keyword_only_parameters() -> None:
    name, settings = FILTERS.choose("blur:times=3,strong=yes")
    assert FILTERS[name].function("a", **settings.model_dump()) == "aaa!"
    assert FILTERS.menu().startswith("blur:times=1,strong=false | lazy")
    assert FILTERS["blur"].about == "Less sharp."


def test_a_lazy_function_is_imported_when_it_is_needed() -> None:
    entry: Entry[Frozen] = Entry("colorsys:rgb_to_hsv", Square)
    sys.modules.pop("colorsys", None)
    assert Registry("colour", {"hsv": entry}).choose("hsv:side=1")[0] == "hsv"
    assert "colorsys" not in sys.modules
    assert entry.function.__name__ == "rgb_to_hsv"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("blurr", r"^filter: unknown choice 'blurr' \(closest: blur\)$"),
        ("blur:tims=2", r"^filter blur: unknown key 'tims' \(closest: times\)$"),
        ("blur:times=x", "^filter blur: times = 'x': must be a valid integer"),
        (
            "mine:net",
            "^filter: unknown choice 'mine:net': there is no plug-in 'mine': give its file with --plugin mine.py",
        ),
    ],
)
def test_a_wrong_choice_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        FILTERS.choose(text)


def test_a_file_adds_what_its_tables_hold(tmp_path: Path) -> None:
    load_plugin(
        write(tmp_path, "def loud(image, *, times: int = 2): return image * times\nAUGMENTATIONS = {'loud': loud}")
    )
    name, settings = FILTERS.choose("mine:loud:times=3")
    assert FILTERS[name].function("a", **settings.model_dump()) == "aaa"
    assert list(FILTERS) == ["blur", "lazy", "mine:loud"]
    assert "mine:loud" not in SHAPES
    versions = FILTERS.versions(["blur", "mine:loud:times=3"])
    assert versions.keys() == {"mine"}
    check_plugins(versions, "run r")
    load_plugin(write(tmp_path, "AUGMENTATIONS = {}"))
    with pytest.raises(BakeoffError, match=r"^run r needs the plug-in mine of SHA-256 \w{12}\.\.\., and the one here"):
        check_plugins(versions, "run r")
    with pytest.raises(UsageError, match=r"unknown choice 'mine:loud' \(valid: blur, lazy\)"):
        FILTERS.choose("mine:loud")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 / 0", "mine.py: ZeroDivisionError: division by zero"),
        ("def (", "mine.py: SyntaxError"),
        ("x = 1", "mine.py: it has no table such as MODELS = "),
        ("MODELS = [1]", "mine.py: MODELS must be a table such as"),
        ("MODELS = {'a:b': print}", "mine.py: MODELS must be a table such as"),
    ],
)
def test_a_file_that_is_no_plug_in_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        load_plugin(write(tmp_path, text))
    assert not plugins.FILES


def test_a_missing_file_and_two_files_of_the_same_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.py: No such file"):
        load_plugin(tmp_path / "nowhere.py")
    with pytest.raises(UsageError, match=r"must be a file FILE\.py"):
        load_plugin(tmp_path / "study.toml")
    load_plugin(write(tmp_path / "a", "MODELS = {}"))
    with pytest.raises(UsageError, match="has the same name: rename one"):
        load_plugin(write(tmp_path / "b", "MODELS = {}"))


def test_a_value_that_is_no_function_gets_one_sentence(tmp_path: Path) -> None:
    adds = (
        "from bakeoff.spec.registry import Entry\nAUGMENTATIONS = {'x': 3, 'y': lambda *, size: 0, 'z': Entry(print)}"
    )
    load_plugin(write(tmp_path, adds))
    with pytest.raises(UsageError, match="filter mine:x: must be a function, and is of type int"):
        FILTERS.choose("mine:x")
    with pytest.raises(UsageError, match="its parameter 'size' has no type"):
        FILTERS.choose("mine:y")

    class Filter(Entry[Frozen]):
        """An entry of one kind of choice."""

    assert FILTERS["mine:z"].function is print
    of_its_own: Registry[Filter] = Registry("filter", {}, kind=Filter, group="augmentations")
    with pytest.raises(UsageError, match="filter mine:z: must be a function, and is of type Entry"):
        of_its_own.find("mine:z")


def test_an_installed_package_adds_its_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert FILTERS.choose("addons:grow:times=4")[1].model_dump() == {"times": 4}
    assert FILTERS["addons:grow"].about == "Larger."
    assert FILTERS.versions(["addons:grow"]) == {"addons": "1.5"}
    check_plugins({"addons": "1.5"}, "run r")
    with pytest.raises(
        BakeoffError, match=r"^run r needs the plug-in addons of version 1.4, and the one here is version"
    ):
        check_plugins({"addons": "1.4"}, "run r")
    with pytest.raises(
        BakeoffError, match=r"^run r needs the plug-in other of version 1, and none is here: install it$"
    ):
        check_plugins({"other": "1"}, "run r")


def test_a_package_installed_for_editing_counts_by_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "edited").mkdir()
    install(tmp_path, name="edited")
    (tmp_path / "edited-1.5.dist-info" / "direct_url.json").write_text(
        '{"dir_info": {"editable": true}, "url": "file:"}'
    )
    monkeypatch.syspath_prepend(tmp_path)
    versions = []
    for body in ("x = 1", "x = 2"):
        (tmp_path / "edited" / "__init__.py").write_text(body)
        versions.append(plugins.version("edited"))
    assert len(set(versions)) == 2
    assert all(version.startswith("1.5+sha256:") for version in versions)


def test_a_package_that_fails_gets_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, name="broken", body="import not_there_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="plug-in broken:grow: broken:grow cannot be loaded: ModuleNotFoundError"):
        FILTERS.choose("broken:grow")
    assert "blur" in FILTERS
    assert FILTERS.choose("blur")
