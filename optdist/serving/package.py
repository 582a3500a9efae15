"""Writes, reads and checks the model package: a folder that scores raw rows by itself."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import TypeAdapter

from optdist.config import ModelConfig
from optdist.config.model_choice import section_class
from optdist.config.old_models import upgrade_settings
from optdist.data.schema import FeatureSchema
from optdist.distributions.calibration import Calibration
from optdist.errors import ModelError, OptDistError
from optdist.files import write_json

if TYPE_CHECKING:  # reading settings and schema does not start TensorFlow
    from optdist.models import CltvModel

_WEIGHTS, _SETTINGS, _SCHEMA = "model.weights.h5", "model.json", "schema.json"
_CALIBRATION, _CHECKSUMS = "calibration.json", "checksums.json"
_FILES = (_WEIGHTS, _SETTINGS, _SCHEMA, _CALIBRATION)
_CALIBRATIONS = TypeAdapter(dict[str, Calibration])


@dataclass(frozen=True)
class Package:
    """A model package: weights (HDF5), settings, schema and calibration (JSON), and no pickle.

    `checksums.json` has the SHA-256 of each file, and every file is compared with it when it is
    read. A package of an older version has no checksums and is read without that check.
    """

    path: Path

    @classmethod
    def save(cls, model: CltvModel, folder: str | os.PathLike[str]) -> Self:
        """Write a model's package; the checksums come last."""
        package = cls(Path(folder))
        package.path.mkdir(parents=True, exist_ok=True)
        model.save_weights(package.path / _WEIGHTS)
        write_json(package.path / _SETTINGS, model.config.model_dump())
        write_json(package.path / _CALIBRATION, _CALIBRATIONS.dump_python(model.calibrations))
        model.schema.save(package.path / _SCHEMA)
        sums = {name: _checksum(package.path / name) for name in _FILES}
        write_json(package.path / _CHECKSUMS, sums)
        return package

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """The package in the folder of a logged model, or None where there is none."""
        settings = sorted(folder.glob(f"artifacts/*/{_SETTINGS}"))
        return cls(settings[0].parent) if settings else None

    def __fspath__(self) -> str:
        """The folder, for whatever takes a path."""
        return str(self.path)

    @cached_property
    def settings(self) -> ModelConfig:
        """The model's settings.

        Raises:
            ModelError: the file is missing or damaged.
        """
        with self._readable():
            settings = json.loads(self._checked(_SETTINGS).read_text())
            if not isinstance(settings, dict):
                raise ModelError(f"{_SETTINGS} must have an object")
            settings = upgrade_settings(settings)
            return section_class(str(settings["name"])).model_validate(settings)

    @cached_property
    def schema(self) -> FeatureSchema:
        """The schema that raw rows are encoded with.

        Raises:
            ModelError: the file is missing or damaged.
        """
        with self._readable():
            return FeatureSchema.load(self._checked(_SCHEMA))

    @cached_property
    def calibrations(self) -> dict[str, Calibration]:
        """The calibrations, by rule of inference.

        Raises:
            ModelError: the file is missing or damaged.
        """
        with self._readable():
            return _CALIBRATIONS.validate_json(self._checked(_CALIBRATION).read_text())

    @property
    def model_class(self) -> type[CltvModel]:
        """The class of the model.

        Raises:
            ModelError: the settings are missing or damaged, or name no model.
        """
        from optdist.models import model_class

        with self._readable():
            return model_class(self.settings.name)

    @property
    def inference(self) -> str:
        """The rule of inference that the model predicts by.

        Raises:
            ModelError: the settings are missing or damaged, or name no model.
        """
        return self.settings.rule

    def load_model(self) -> CltvModel:
        """Build the model again; it predicts what it did before `save`, to the last bit.

        Raises:
            ModelError: a file is missing or damaged.
        """
        from optdist.models import build_model

        with self._readable():
            model = build_model(self.schema, self.settings)
            model.load_weights(self._checked(_WEIGHTS))
        model.calibrations = dict(self.calibrations)
        return model

    @cached_property
    def _checksums(self) -> dict[str, str] | None:
        path = self.path / _CHECKSUMS
        if not path.exists():
            return None
        return TypeAdapter(dict[str, str]).validate_json(path.read_text())

    def _checked(self, name: str) -> Path:
        path, sums = self.path / name, self._checksums
        if sums is not None and sums.get(name) != _checksum(path):
            raise ModelError(
                f"{path} is damaged: its checksum differs from {_CHECKSUMS}. Copy the file "
                f"again from where the package came from; a package below models/ is fetched from "
                f"the registry again once its folder is removed"
            )
        return path

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, KeyError, OptDistError) as error:
            prefix = f"{self.path} is not a readable model package: "
            text = str(error).removeprefix(prefix)
            raise ModelError(prefix + text) from error


def save_package(model: CltvModel, folder: str | os.PathLike[str]) -> Path:
    """Write a model's package, which `load_model` and `load_predictor` read; return its folder."""
    return Package.save(model, folder).path


def load_model(folder: str | os.PathLike[str]) -> CltvModel:
    """Load the model of a package.

    Raises:
        ModelError: a file is missing or damaged.
    """
    return Package(Path(folder)).load_model()


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
