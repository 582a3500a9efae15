"""Goes back to the champion before, and explains which version is champion and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from optdist.errors import ModelError
from optdist.tracking import (
    CHALLENGER,
    CHAMPION,
    OUT_OF_TIME_FROM,
    PACKAGE_DIGEST,
    PROMOTION_REASON,
    Registry,
)
from optdist.tracking.champions import Reign, champions, crown, previous
from pipelines.registry.compatibility import changed_settings
from pipelines.registry.promotion import PROMOTION_GATES, ROLLED_BACK
from pipelines.registry.rule import Decision, Gate, load_gates


def rollback_target(registry: Registry, described: Mapping[str, str]) -> tuple[str, str]:
    """The champion, and the one before it, which must be able to score.

    Args:
        registry: the model's.
        described: the data set's tags of `optdist.config.identity.identity`.

    Raises:
        ModelError: there is no champion before, or its package or the data set is another by now.
    """
    champion = registry.resolve(CHAMPION)
    before = previous(champions(registry))
    if before is None:
        raise ModelError(
            f"No champion of {registry.model_name} is known before version {champion}. "
            f"jobs/promote.py --version N --force makes any version champion."
        )
    changed = changed_settings(registry, before, described)
    if changed:
        raise ModelError(
            f"Version {before}, the champion before, was trained on other data: "
            f"{', '.join(changed)} changed since, and scoring would refuse it. Go back with the "
            f"data set's file of then, or jobs/promote.py --version {before} --force."
        )
    with registry.borrowed_package(before):  # which is compared with its digest
        return champion, before


def rollback(registry: Registry, described: Mapping[str, str]) -> tuple[str, Decision]:
    """Make the champion before the present one champion again.

    The rule does not promote the version that was withdrawn again; only --force does.

    Args:
        registry: the model's.
        described: the data set's tags of `optdist.config.identity.identity`.

    Returns:
        The version that is champion now, and the decision.

    Raises:
        ModelError: there is no champion before, or it cannot score.
    """
    champion, before = rollback_target(registry, described)
    day = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    reason = f"rolled back from version {champion} on {day}"
    registry.tag_version(before, PROMOTION_REASON, reason)
    registry.tag_version(champion, ROLLED_BACK, f"it was rolled back to version {before} on {day}")
    crown(registry, before, "rolled back")
    return before, Decision(promoted=True, reason=reason)


def explain(registry: Registry) -> str:
    """Which version is champion, since when and why, what its gates found, and where it is from."""
    reigns = champions(registry)
    if not reigns:
        return f"{registry.model_name} has no champion: {registry.why_no_champion()}"
    lines = [f"{registry.model_name}: champion is version {reigns[-1].version}"]
    lines += _version(registry, reigns[-1].version, reigns[-1])
    challenger = registry.find(CHALLENGER)
    if challenger and challenger != reigns[-1].version:
        lines += ["", f"challenger is version {challenger}", *_version(registry, challenger)]
    lines += ["", "champions, the newest first:"]
    lines += [f"  version {r.version:<4} {r.how}, since {_since(r)}" for r in reversed(reigns)]
    before = previous(reigns)
    then = f"would go back to version {before}" if before else "has no champion to go back to"
    return "\n".join([*lines, f"--rollback {then}"])


def _version(registry: Registry, version: str, reign: Reign | None = None) -> Iterator[str]:
    """The lines about a version."""
    tags = registry.tags(version)
    if reign:
        yield f"  {'since':<14}{_since(reign)}, {reign.how}"
    yield f"  {'why':<14}{tags.get(PROMOTION_REASON, 'it was not compared')}"
    if tags.get(ROLLED_BACK):
        yield f"  {'withdrawn':<14}{tags[ROLLED_BACK]}"
    for gate in _gates(tags):
        value = "not measured" if gate.value is None else f"{gate.value:,.6g}"
        yield (
            f"  {'gate':<14}{'passed' if gate.passed else 'FAILED'}: {gate.title} is {value}, "
            f"required {gate.limits}"
        )
    for name, value in lineage(tags, registry.run_of(version)).items():
        yield f"  {name:<14}{value}"


def lineage(tags: Mapping[str, str], run: Any) -> dict[str, str]:
    """Where a version comes from: run, code, data.

    Args:
        tags: the version's.
        run: MLflow's record of its run; None where it is gone.
    """
    about = {"package": tags.get(PACKAGE_DIGEST), "out of time": tags.get(OUT_OF_TIME_FROM)}
    about["features"] = tags.get("data_fingerprint")
    about["compared on"] = tags.get("promotion_data_fingerprint")
    if run is not None:
        started = dt.datetime.fromtimestamp(run.info.start_time / 1000, dt.UTC)
        about["run"] = f"{run.info.run_id} of {started:%Y-%m-%d %H:%M:%S} UTC"
        about["optdist"] = run.data.tags.get("optdist_version")
        about["commit"] = run.data.tags.get("mlflow.source.git.commit")
        about["as of"] = run.data.tags.get("as_of")
        params = run.data.params
        about["model"] = params.get("model.name")
        about["data set"] = params.get("data.name")
        versions = {n: v for n, v in params.items() if n.startswith("data.version.")}
        about |= {n.removeprefix("data."): v for n, v in versions.items()}
    return {name: value for name, value in about.items() if value}


def _since(reign: Reign) -> str:
    return reign.since or "a time that is not known"


def _gates(tags: Mapping[str, str]) -> list[Gate]:
    try:
        return load_gates(tags.get(PROMOTION_GATES) or "[]")
    except ValidationError:  # of another optdist
        return []
