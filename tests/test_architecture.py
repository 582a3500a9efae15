import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [p for folder in ("optdist", "pipelines", "jobs") for p in (ROOT / folder).rglob("*.py")]

# where each heavy library may be imported
DOORS = {
    "pyspark": ("pipelines/", "jobs/"),
    "petastorm": ("optdist/data/shards.py",),
    "horovod": ("optdist/training/communicator.py", "pipelines/training/spark_launcher.py"),
    "mlflow": ("optdist/tracking/", "optdist/serving/pyfunc_model.py"),
    "lightgbm": ("pipelines/experiments/run/boosting.py",),
}
# inside optdist: a file may import only from rooms below its own
LEVELS = [
    ["errors"],
    ["files", "layout", "plugins"],
    ["config"],
    ["data", "objectives"],
    ["distributions", "layers", "evaluation"],
    ["models"],
    ["serving"],
    ["training", "tracking"],
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way_and_heavy_libraries_have_one_door(path):
    here = path.relative_to(ROOT).as_posix()
    room = here.split("/")[1].removesuffix(".py")
    for name in imports(path):
        top = name.split(".")[0]
        assert top != "jobs", f"{here} imports jobs"
        if here.startswith("optdist/"):
            assert top != "pipelines", f"{here} imports {name}"
        if top in DOORS:
            assert here.startswith(DOORS[top]), f"{here} imports {name}; its doors: {DOORS[top]}"
        if here.startswith("optdist/") and name.startswith("optdist.") and room in LEVEL:
            other = name.split(".")[1]
            same = other == room
            assert same or LEVEL[other] < LEVEL[room], f"{here} imports {name}, which is not below"


def test_every_room_has_a_level():
    rooms = {
        p.relative_to(ROOT / "optdist").parts[0].removesuffix(".py")
        for p in FILES
        if p.is_relative_to(ROOT / "optdist")
    }
    assert rooms - {"__init__"} == set(LEVEL)


def test_the_library_imports_without_starting_tensorflow():
    import subprocess
    import sys

    code = "import optdist, sys; sys.exit('tensorflow' in sys.modules or 'pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
