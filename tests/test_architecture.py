"""Imports run one way, in no circle, and a heavy library has one door.

`make imports` prints the picture that this test checks.
"""

import re
from importlib import metadata

import pytest
from imports import (
    PACKAGES,
    circles,
    imports_of,
    is_installed,
    library_imports,
    own_imports,
    room_imports,
    sources,
)

# The rooms or modules that may import a library which a wheel without extras does not bring.
DOORS = {
    "horovod": {
        "optdist.ranks.rendezvous",
        "optdist.training.communicator",
    },
    "croniter": {"pipelines.scheduling"},
    "jinja2": {"pipelines.rendering"},
    "lightgbm": {"pipelines.experiments.run.boosting"},
    "matplotlib": {
        "pipelines.registry.card.drawing",
        "optdist.evaluation.plots",
        "pipelines.backtest.drawing",
        "pipelines.experiments.report",
        "pipelines.monitoring.data_report.drawing",
        "pipelines.monitoring.drift.drawing",
        "pipelines.rendering",
        "pipelines.training.pipeline",
    },
    "markupsafe": {"pipelines.rendering"},  # what Jinja2 escapes with
    "mlflow": {"optdist.serving.pyfunc_model", "optdist.tracking"},
    "petastorm": {"optdist.data.shards"},
    "deltalake": {"pipelines.sources.formats.delta_log"},
    "py4j": {"pipelines.sources.formats.messages"},
    "psutil": {"optdist.ranks.rendezvous", "pipelines.running"},
    "requests": {"optdist.tracking"},  # MLflow's errors of the network
    "sqlalchemy": {"optdist.tracking"},
    "pyspark": {"pipelines"},
}
MODULES = sources()
IMPORTS = own_imports(MODULES)
LIBRARY_IMPORTS = list(library_imports(MODULES))


def libraries_of_the_wheel():
    """Import names of what `pip install 'optdist[cpu]'` asks for."""
    requirements = metadata.requires("optdist")
    names = {
        re.match(r"[\w-]+", text)[0].lower().replace("-", "_")
        for text in requirements
        if "extra ==" not in text or 'extra == "cpu"' in text
    }
    homes = metadata.packages_distributions()
    return {
        top
        for top, owners in homes.items()
        if {o.lower().replace("-", "_") for o in owners} & names
    }


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_from_jobs_to_pipelines_to_the_library(module):
    level = PACKAGES.index(module.split(".")[0])
    back = [
        one
        for one in IMPORTS[module]
        if PACKAGES.index(one.split(".")[0]) < level or one.startswith("jobs")
    ]
    assert not back, f"{module} imports {back}"


def test_no_room_is_in_a_circle():
    assert circles(room_imports(MODULES)) == []


def test_no_module_is_in_a_circle():
    assert circles(IMPORTS) == []


def test_a_library_that_only_an_extra_brings_is_imported_at_its_door_alone():
    brought = libraries_of_the_wheel() | {"pydantic_core"}  # a part of pydantic
    assert {"numpy", "tensorflow", "yaml"} <= brought
    wrong = [
        f"{module}:{one.line} imports {one.name}"
        for module, top, one in LIBRARY_IMPORTS
        if top not in brought
        and not (one.is_string and top not in DOORS)  # such as a logger's name
        and not any(f"{module}.".startswith(f"{door}.") for door in DOORS.get(top, ()))
    ]
    assert not wrong


def test_every_door_is_used():
    used = {(top, module) for module, top, _ in LIBRARY_IMPORTS}
    unused = [
        (library, door)
        for library, doors in DOORS.items()
        for door in doors
        if not any(top == library and f"{m}.".startswith(f"{door}.") for top, m in used)
    ]
    assert not unused


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b", ["a.b"]),
        ("def f():\n    from a import b", ["a.b"]),
        ("import importlib\nimportlib.import_module('a.b')", ["importlib", "a.b"]),
        ("run(['python', '-m', 'horovod.runner.launch'])", ["horovod.runner.launch"]),
        ("run('python -m horovod.runner.launch -np 2')", ["horovod.runner.launch"]),
        ("door = 'package.module:Class'", ["package.module"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a", ["TYPE_CHECKING"]),
        ("text = 'Words end. Another sentence'", []),
    ],
)
def test_an_import_is_found_wherever_it_stands(source, names):
    found = sorted(one.name.removeprefix("typing.") for one in imports_of(source))
    assert found == sorted(names)


def test_a_string_is_a_door_only_if_a_library_has_a_module_of_that_name():
    assert is_installed("horovod.runner.launch") and is_installed("mlflow.pyfunc")
    assert not is_installed("mlflow.parentRunId") and not is_installed("no_such_library.module")


def test_circles_are_found_however_long():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
