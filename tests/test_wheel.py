"""The wheel, built and used away from the clone in an environment of its own."""

import os
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venv" / "bin" / "uv"
OWN = """
name: own
id: [user]
split_key: [user]
source: {kind: samples, tables: {main: {path: train.parquet}}, label: spend}
features: {categorical: [country], numeric: {visits: {log1p: true}}}
training: {epochs: 2, learning_rate: 5.0e-3}
"""
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
# What a user of the library does who has no Spark.
SCRIPT = """
import importlib.util
import keras, numpy as np, optdist, pandas as pd
from optdist.errors import ConfigError

assert "site-packages" in optdist.__file__, optdist.__file__
for absent in ("pipelines", "jobs", "tests", "pyspark", "petastorm", "mlflow", "horovod"):
    assert importlib.util.find_spec(absent) is None, absent

config = optdist.load_config("own.yaml", overrides=["training.epochs=3"])
rng = np.random.default_rng(0)
train = pd.DataFrame({"country": rng.choice(["DE", "FR"], 500), "visits": rng.poisson(3, 500)})
train["spend"] = np.where(rng.random(500) < 0.5, 0.0, rng.lognormal(train["visits"] / 3))

schema = optdist.fit_schema(train, config.dataset.features, label="spend")
model = optdist.OptDist(schema, config.model)
model.compile(optimizer=keras.optimizers.Adam(config.training.learning_rate))
data = optdist.memory_dataset(train, schema, label="spend")
history = model.fit(data, epochs=config.training.epochs, verbose=0).history
assert history["loss"][-1] < history["loss"][0], history
optdist.save_package(model, "package")
scores = optdist.load_predictor("package").predict(train)
assert scores["predicted_cltv"].shape == (500,)
try:
    optdist.load_config("complete_journey")
except ConfigError as error:
    print(error)
print("version", optdist.__version__)
"""
# What one does who keeps feature tables on disk: the trainer streams them through Petastorm.
STREAMING = """
import optdist, pandas as pd
from optdist.training import TrainingPlan, train
from table import frame, write_table

config = optdist.load_config("own.yaml", overrides=["model.sdn=[8]", "training.ranks=1"])
table = write_table("features")
plan = TrainingPlan(table=str(table.path), table_fingerprint="made", folder="run",
                    model=config.model, training=config.training)
result = train(plan)
scores = optdist.load_predictor("run/package").predict(frame(100))
assert scores["predicted_cltv"].shape == (100,)
print("epochs", result.epochs)
"""


def run(*command, folder, **environment):
    """Run a command with nothing of this environment's variables; return its output."""
    clean = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    words = [str(part) for part in command]
    done = subprocess.run(
        words, cwd=folder, env=clean | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the files that git knows, so that no earlier build's leftovers get in."""
    folder = tmp_path_factory.mktemp("build")
    names = run(
        "git",
        "ls-files",
        "-z",
        "optdist",
        "setup.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        folder=ROOT,
    ).split("\0")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        "wheels",
        ".",
        folder=folder,
    )
    [path] = (folder / "wheels").glob("*.whl")
    return path


def test_the_wheel_holds_the_library_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    version = runpy.run_path(str(ROOT / "optdist" / "version.py"))["__version__"]
    assert tops == {"optdist", f"optdist-{version}.dist-info"}
    assert "optdist/py.typed" in names


def install(wheel, extras, environment):
    """Install from uv's cache, or from the index where something is missing there."""
    lines = run(sys.executable, ROOT / "requirements" / "pip_to_uv.py", folder=ROOT).splitlines()
    of_pip = dict(line.split("=", 1) for line in lines)
    lock = ROOT / "requirements" / "lock.txt"
    command = [
        UV,
        "pip",
        "install",
        "--python",
        environment / "bin" / "python",
        "--constraints",
        lock,
        f"{wheel}[{extras}]",
    ]
    try:
        run(*command, "--offline", folder=environment)
    except AssertionError:
        run(*command, folder=environment, **of_pip)


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The Python of an environment that holds the wheel and what its extra `cpu` asks for."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    run(UV, "venv", "--python", sys.executable, environment, folder=environment.parent)
    install(wheel, "cpu", environment)
    return environment / "bin" / "python"


@pytest.fixture
def elsewhere(tmp_path):
    """A folder away from the clone, with a data set's file."""
    (tmp_path / "own.yaml").write_text(OWN)
    return tmp_path


def test_an_empty_environment_loads_a_configuration_trains_and_scores(python, elsewhere):
    output = run(python, "-c", SCRIPT, folder=elsewhere, **QUIET)
    assert "set OPTDIST_CONF to a conf folder" in output


def test_with_the_extra_streaming_it_trains_on_a_feature_table(wheel, python, elsewhere):
    install(wheel, "streaming", python.parents[1])
    (elsewhere / "table.py").write_text((ROOT / "tests" / "table.py").read_text())
    output = run(python, "-c", STREAMING, folder=elsewhere, PYTHONPATH=str(elsewhere), **QUIET)
    assert "epochs 2" in output
