"""Names what the columns of events are, and what they are derived from."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.drafting.profile import ColumnProfile, TableProfile
from pipelines.drafting.request import DraftError


@dataclass
class EventRoles:
    """The names that expressions use, what they are derived from, and why."""

    entity: list[str]
    time: str
    amount: str
    order: str | None
    returns: bool
    where: str | None
    columns: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)  # raw columns that are no features of their own
    reasons: dict[str, str] = field(default_factory=dict)  # role -> why

    @property
    def customer(self) -> str:
        """The column of the customer."""
        return self.entity[0]


def free_columns(found: EventRoles, main: TableProfile) -> list[ColumnProfile]:
    """The columns without a role."""
    return [c for c in main.columns.values() if c.name not in found.used]


def named_column(main: TableProfile, name: str, flag: str) -> ColumnProfile:
    """The column that a flag names.

    Args:
        main: the table of events.
        name: the column, in any letter case.
        flag: the flag, for the message.

    Raises:
        DraftError: there is none.
    """
    found = next((c for n, c in main.columns.items() if n.lower() == name.lower()), None)
    if found is None:
        raise DraftError(
            f"{flag} names {name}, which is no column of {main.name}. Found: "
            f"{', '.join(main.columns)}."
        )
    return found
