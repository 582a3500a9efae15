"""Defines the base class of all settings sections, and the types that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from optdist.layout import check_folder_name

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
FolderName = Annotated[str, AfterValidator(check_folder_name)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ColumnName = Annotated[str, Field(min_length=1)]  # of a raw table: whatever its maker called it


class Section(BaseModel):
    """Settings that are checked when they are created, and cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def repeated(names: Sequence[str]) -> list[str]:
    """The names that are there twice or more, each once, in alphabetical order."""
    return sorted({name for name in names if names.count(name) > 1})


def as_mapping(value: Any) -> Any:
    """Turn a list of names into a mapping of each to its defaults; a mapping stays as it is."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: {} for name in value}
    return {k: v or {} for k, v in value.items()} if isinstance(value, dict) else value
