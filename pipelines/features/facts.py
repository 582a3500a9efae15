"""Describes for the data report what only a build knows: what it read and what it left out."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict

from optdist.config.source import SourceConfig
from optdist.config.transactions import TransactionsSourceConfig
from pipelines.features.sampler import Samples
from pipelines.features.training_samples import Written
from pipelines.monitoring.data_report.statistics import Build, Quarantined, Windows


def describe_build(source: SourceConfig, written: Written, as_of: dt.date | None) -> Build:
    """What the report says of the tables that were read.

    Args:
        source: where rows came from, `history: auto` written out.
        written: what was made of them.
        as_of: the last day that was read; None: all.
    """
    samples = written.samples
    return Build(
        as_of=as_of.isoformat() if as_of else None,
        dated=written.dated,
        counts=written.counts,
        types=samples.types,
        joins=samples.joins,
        quarantine=[Quarantined(**asdict(count)) for count in written.quarantined],
        value=written.value,
        windows=_windows(source, samples),
    )


def _windows(source: SourceConfig, samples: Samples) -> Windows | None:
    """The days of transactions; None for other samples."""
    reach = samples.reach
    if not isinstance(source, TransactionsSourceConfig) or reach is None:
        return None
    spans = [span for block in source.blocks for span in block.spans().items()]
    return Windows(
        first_event=str(reach[0]),
        last_event=str(reach[1]),
        complete_until=str(samples.complete_until or reach[1]),
        why=samples.complete_because,
        horizon_days=source.horizon_days,
        incomplete=samples.incomplete,
        history={name: days for name, (_, days) in spans if days is not None},
    )
