"""Keeps which version was champion since when, so that one can go back to the one before."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from optdist.tracking.registry import CHAMPION, PREVIOUS, Registry

_HISTORY = "champions"  # a tag of the registered model
_MOST = 50  # reigns that are kept
How = Literal["promoted", "forced", "rolled back", "changed elsewhere"]


class Reign(BaseModel):
    """A version that became champion."""

    version: str
    since: str | None  # UTC; None: not known
    how: How


_REIGNS = TypeAdapter(list[Reign])


def champions(registry: Registry) -> list[Reign]:
    """The champions of a model, the present one last.

    The alias is the truth: a job that was killed before it moved the alias has changed nothing, and
    an alias that somebody moved in MLflow is a reign too.
    """
    champion = registry.find(CHAMPION)
    try:
        reigns = _REIGNS.validate_json(registry.model_tag(_HISTORY) or "[]")
    except ValidationError:  # edited by hand
        reigns = []
    if champion is None:
        return []
    if reigns and reigns[-1].version == champion:
        return reigns
    if len(reigns) > 1 and reigns[-2].version == champion:
        return reigns[:-1]
    return [*reigns, Reign(version=champion, since=None, how="changed elsewhere")]


def crown(registry: Registry, version: str, how: How) -> None:
    """Make a version champion, and keep which one it replaces as `previous`.

    The alias moves in one step, after its reign is written.

    Args:
        registry: the model's.
        version: a registered version's number.
        how: in which way.
    """
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    reigns = [*champions(registry), Reign(version=version, since=now, how=how)][-_MOST:]
    registry.tag_model(_HISTORY, _REIGNS.dump_json(reigns).decode())
    registry.set_alias(CHAMPION, version)
    before = previous(reigns)
    if before:
        registry.set_alias(PREVIOUS, before)
    else:
        registry.drop_alias(PREVIOUS)


def previous(reigns: list[Reign]) -> str | None:
    """The champion before the present one, or None.

    Going back from 3 to 2 takes 3 off the top, so that going back again leads to 1.
    """
    stack: list[str] = []
    for reign in reigns:
        if reign.how == "rolled back" and reign.version in stack:
            while stack[-1] != reign.version:
                stack.pop()
        elif stack[-1:] != [reign.version]:
            stack.append(reign.version)
    return stack[-2] if len(stack) > 1 else None
