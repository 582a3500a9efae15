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
from optdist.data.profile import Profile, profile_of_schema
from optdist.data.schema import FeatureSchema
from optdist.distributions.calibration import Calibration
from optdist.errors import ModelError, OptDistError
from optdist.files import sha256_of, write_json

if TYPE_CHECKING:  # reading settings and schema does not start TensorFlow
    from optdist.models import CltvModel

_WEIGHTS, _SETTINGS, _SCHEMA = "model.weights.h5", "model.json", "schema.json"
_CALIBRATION, _CHECKSUMS = "calibration.json", "checksums.json"
_PROFILE = "profile.json"  # written by the training job, once the package is there
_FILES = (_WEIGHTS, _SETTINGS, _SCHEMA, _CALIBRATION)
_CALIBRATIONS = TypeAdapter(dict[str, Calibration])
_AGAIN = (
    "Copy the package again from where it came from; one below models/ is fetched from the "
    "registry again once its folder is removed"
)


@dataclass(frozen=True)
class Package:
    """A model package: weights (HDF5), settings, schema and calibration (JSON), and no pickle.

    `checksums.json` has the SHA-256 of each file, and every file is compared with it when it is
    read. A package of an older version has no checksums and is read without that check, unless
    a digest is expected.

    Args:
        path: the folder.
        expected: the `digest` that the package must have, as the registry keeps it; None: not
            known.
    """

    path: Path
    expected: str | None = None

    @classmethod
    def save(cls, model: CltvModel, folder: str | os.PathLike[str]) -> Self:
        """Write a model's package; the checksums come last."""
        package = cls(Path(folder))
        package.path.mkdir(parents=True, exist_ok=True)
        model.save_weights(package.path / _WEIGHTS)
        write_json(package.path / _SETTINGS, model.config.model_dump())
        write_json(package.path / _CALIBRATION, _CALIBRATIONS.dump_python(model.calibrations))
        model.schema.save(package.path / _SCHEMA)
        sums = {name: sha256_of(package.path / name) for name in _FILES}
        write_json(package.path / _CHECKSUMS, sums)
        return package

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """The package in the folder of a logged model, or None where there is none."""
        names = (_SETTINGS, _CHECKSUMS, _WEIGHTS)  # a damaged one may lack some
        files = [file for name in names for file in sorted(folder.glob(f"artifacts/*/{name}"))]
        return cls(files[0].parent) if files else None

    def verify(self) -> None:
        """Compare every file with its checksum, and the checksums with the expected digest.

        Raises:
            ModelError: a file is damaged or missing, or there is one that the package did not have.
        """
        with self._readable():
            known = {*(self._checksums or _FILES), _CHECKSUMS}
            for name in sorted(known - {_CHECKSUMS}):
                self._checked(name)
            names = (file.name for file in self.path.iterdir())
            extra = sorted(n for n in names if n not in known and not n.startswith("."))
            if extra:
                raise ModelError(
                    f"it contains {', '.join(extra)}, which {_CHECKSUMS} does not name. Remove "
                    f"what does not belong there, or copy the package again"
                )

    @property
    def digest(self) -> str | None:
        """The SHA-256 of the checksums: no file changes without it; None in an older package."""
        path = self.path / _CHECKSUMS
        return sha256_of(path) if path.exists() else None

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
            settings = json.loads(self._content(_SETTINGS))
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
            return FeatureSchema.parse(self._content(_SCHEMA), self.path / _SCHEMA)

    @cached_property
    def calibrations(self) -> dict[str, Calibration]:
        """The calibrations, by rule of inference.

        Raises:
            ModelError: the file is missing or damaged.
        """
        with self._readable():
            return _CALIBRATIONS.validate_json(self._content(_CALIBRATION))

    @cached_property
    def profile(self) -> Profile:
        """What the model was trained on; an older package tells what its schema has.

        Raises:
            ModelError: the file is damaged.
        """
        with self._readable():
            if _PROFILE in (self._checksums or {}):
                return Profile.model_validate_json(self._content(_PROFILE))
            return profile_of_schema(self.schema)

    def add_profile(self, profile: Profile) -> None:
        """Write what the model was trained on into the package."""
        profile.save(self.path / _PROFILE)
        path = self.path / _CHECKSUMS
        sums = TypeAdapter(dict[str, str]).validate_json(path.read_text())
        write_json(path, sums | {_PROFILE: sha256_of(self.path / _PROFILE)})
        for name in ("_checksums", "digest", "profile"):  # which have been read
            vars(self).pop(name, None)

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

        if self.expected:
            self.verify()
        with self._readable():
            model = build_model(self.schema, self.settings)
            model.load_weights(self._checked(_WEIGHTS))
        model.calibrations = dict(self.calibrations)
        return model

    @cached_property
    def _checksums(self) -> dict[str, str] | None:
        """The checksums by file; None in an older package.

        Raises:
            ModelError: they are not those that are expected, or do not name the package's files.
        """
        path = self.path / _CHECKSUMS
        content = path.read_bytes() if path.exists() else None
        digest = None if content is None else hashlib.sha256(content).hexdigest()
        if self.expected not in (None, digest):
            raise ModelError(
                f"{path} {'is missing' if digest is None else 'is another one'}: the registry has "
                f"the digest {self.expected} of this package's checksums, and the folder "
                f"{digest or 'none'}. {_AGAIN}"
            )
        if content is None:
            return None
        sums = TypeAdapter(dict[str, str]).validate_json(content)
        missing = [name for name in _FILES if name not in sums]
        if missing:
            raise ModelError(f"{path} does not name {', '.join(missing)}")
        return sums

    def _checked(self, name: str) -> Path:
        path = self.path / name
        self._compare(name, sha256_of(path))
        return path

    def _content(self, name: str) -> bytes:
        """A file's content: what is compared with the checksum is what is read."""
        content = (self.path / name).read_bytes()
        self._compare(name, hashlib.sha256(content).hexdigest())
        return content

    def _compare(self, name: str, checksum: str) -> None:
        sums = self._checksums
        if sums is not None and sums[name] != checksum:
            raise ModelError(
                f"{self.path / name} is damaged: its checksum differs from {_CHECKSUMS}. {_AGAIN}"
            )

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
