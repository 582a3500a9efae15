"""Further horizons of a data set: a configuration for each, with a model of its own."""

from __future__ import annotations

from typing import Any

from optdist.config.settings import Config
from optdist.config.transactions import TransactionsSourceConfig
from optdist.errors import ConfigError

MORE_HORIZONS = "more_horizons"  # the setting of a source, which decides nothing of its own samples


def further_horizons(config: Config) -> dict[int, Config]:
    """The days of each further horizon, and its configuration: as if it were the data set's own.

    Only the registered model's name differs from that of a data set with such a `horizon_days`.
    """
    source = config.dataset.source
    if not isinstance(source, TransactionsSourceConfig):
        return {}
    return {days: _with_horizon(config, source, days) for days in source.more_horizons}


def of_horizon(config: Config, days: int) -> Config:
    """The configuration of one further horizon.

    Raises:
        ConfigError: the data set has no such horizon.
    """
    further = further_horizons(config)
    if days not in further:
        names = ", ".join(map(str, further)) or "none"
        raise ConfigError(
            f"{config.dataset.name} has no further horizon of {days} days. Those of "
            f"source.more_horizons: {names}."
        )
    return further[days]


def further_models(config: Config) -> list[str]:
    """The registered models of further horizons."""
    return [one.model_name for one in further_horizons(config).values()]


def horizon_column(days: int) -> str:
    """The score column with the predicted value of a further horizon."""
    return f"predicted_cltv_{days}d"


def _with_horizon(config: Config, source: TransactionsSourceConfig, days: int) -> Config:
    name = f"{config.model_name}-{days}d"
    horizon = {"horizon_days": days, MORE_HORIZONS: []}
    dataset = {"source": source.model_copy(update=horizon)}
    return config.model_copy(
        update={
            "dataset": config.dataset.model_copy(update=dataset),
            "tracking": config.tracking.model_copy(update={"model_name": name}),
            "written": _written(config.written, days, name),
        }
    )


def _written(written: dict[str, Any], days: int, name: str) -> dict[str, Any]:
    """The text of the configuration with another horizon and model name.

    Args:
        written: the text.
        days: the horizon.
        name: the registered model's name.
    """
    changed = {**written, "tracking": {**(written.get("tracking") or {}), "model_name": name}}
    if "dataset" in written:
        source = {**written["dataset"]["source"], "horizon_days": days}
        source.pop(MORE_HORIZONS, None)
        changed["dataset"] = {**written["dataset"], "source": source}
    return changed
