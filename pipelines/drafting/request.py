"""What a user asks of a draft, and the error of a draft."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from optdist.errors import OptDistError

Kind = Literal["samples", "snapshots", "first_purchase"]
KINDS: tuple[Kind, ...] = ("snapshots", "first_purchase", "samples")


class DraftError(OptDistError):
    """A part of the data set cannot be guessed: the message names the flag that says it."""

    exit_code = 2


@dataclass(frozen=True)
class Request:
    """What the command line gives; None and empty: to be guessed.

    Args:
        tables: paths, or NAME=PATH.
        name: the data set's name.
        id: the columns that name a sample or, in transactions, an entity; the customer first.
        time: the column with an event's date, or Spark SQL that makes one.
        amount: the column with an event's value, or Spark SQL that makes one [currency].
        label: the column with a sample's label [currency].
        kind: what a row of the main table is, and how samples are made of transactions.
        horizon_days: the length of the label's window [days].
        start: the first snapshot date, or the first day of first purchases.
        format: the format of every table; None: what its files' names say.
        options: options of Spark's reader for every table.
    """

    tables: tuple[str, ...]
    name: str | None = None
    id: tuple[str, ...] = ()
    time: str | None = None
    amount: str | None = None
    label: str | None = None
    kind: Kind | None = None
    horizon_days: int | None = None
    start: dt.date | None = None
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
