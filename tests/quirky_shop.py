"""A shop whose table a test writes with a quirk, and its right samples, computed with pandas."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optdist.config import Config, config_from


def sales() -> pd.DataFrame:
    """Two years of a shop: most customers come back, amounts have cents."""
    rng = np.random.default_rng(5)
    rows = 1500
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 400, rows)), "D")
    return pd.DataFrame(
        {
            "customer": [f"{number:03}" for number in rng.integers(1, 120, rows)],
            "day": days.strftime("%Y-%m-%d"),
            "amount": np.round(rng.lognormal(2, 1.2, rows), 2),
            "city": rng.choice(["Rome", "Paris", "Oslo"], rows),
        }
    )


@dataclass
class Shop:
    """The table, the settings that read it, and how it is written."""

    folder: Path
    rows: pd.DataFrame = field(default_factory=sales)
    source: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)  # sections of the configuration
    features: dict[str, str] = field(
        default_factory=lambda: {
            "orders": "count(*)",
            "spend": "coalesce(sum(amount), 0)",
            "biggest": "max(amount)",
            "recency": "min(days_before)",
        }
    )

    @property
    def path(self) -> Path:
        """The file, unless a quirk writes another."""
        return self.folder / "sales.csv"

    def text(self) -> str:
        """The rows as CSV."""
        return self.rows.to_csv(index=False)

    def write(self, text: str | bytes | None = None, name: str = "sales.csv") -> None:
        content = self.text() if text is None else text
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        tables = self.source.setdefault("tables", {})
        tables.setdefault("sales", {"path": str(path)})

    def config(self) -> Config:
        history = {"key": ["customer"], "features": self.features}
        source = {
            "kind": "transactions",
            "amount": "amount",
            "timestamp": "day",
            "snapshots": {"dates": ["2023-07-01", "2023-10-01"]},
            "horizon_days": 60,
            "history": [history],
            **self.source,
        }
        numeric = [f"{name}_all" for name in self.features if name != "favourite"]
        text = [f"{name}_all" for name in self.features if name == "favourite"]
        dataset = {"name": "shop", "id": ["customer"], "split_key": ["customer"], "source": source}
        dataset["features"] = {"categorical": text, "numeric": numeric}
        return config_from(
            {"dataset": dataset, "paths": {"root": str(self.folder / "root")}, **self.more}
        )


def by_pandas(shop: Shop) -> pd.DataFrame:
    """The right samples of the shop's rows."""
    rows, names = shop.rows.copy(), {"spend.total": "amount", "group by": "day"}
    rows = rows.rename(columns=names)
    rows["day"] = pd.to_datetime(rows["day"])
    if shop.source.get("where"):
        rows = rows[rows["amount"] > 0.5]
    parts = []
    for date in map(pd.Timestamp, ["2023-07-01", "2023-10-01"]):
        past, days = rows[rows["day"] < date], (rows["day"] - date).dt.days
        window = rows[days.between(0, 59)].groupby("customer")["amount"].sum()
        of = past.groupby("customer")
        part = pd.DataFrame(
            {
                "orders_all": of.size(),
                "spend_all": of["amount"].sum(),
                "biggest_all": of["amount"].max(),
                "recency_all": (date - of["day"].max()).dt.days,
            }
        )
        if "favourite" in shop.features:
            last = past.sort_values(["amount", "day"]).groupby("customer")["city"].last()
            part["favourite_all"] = last
        part["label"] = window.reindex(part.index).fillna(0)
        parts.append(part.reset_index().assign(snapshot_date=date.date()))
    return pd.concat(parts).sort_values(["customer", "snapshot_date"], ignore_index=True)
