"""A made-up shop for differential tests: its log, its settings and the files of both."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from oracle import Oracle

from optdist.config import DatasetConfig, config_from

TEXTS = {"segment", "country", "tier"}  # features that are categories


@dataclass(frozen=True)
class World:
    """A log with its settings, how its files are written, and the day to look from."""

    oracle: Oracle
    file: str  # csv or parquet
    clock: str  # date, naive or aware
    unit: str  # of timestamps in Parquet
    as_of: dt.date | None
    run_date: dt.date | None  # score at its end; None: train

    def write(self, folder: Path) -> DatasetConfig:
        """Write the tables and return the data set that reads them."""
        tables = {"sales": self._write(folder / "sales", self._sales())}
        joined = {join["table"] for join in self.oracle.source.get("joins", [])}
        if "customers" in joined:
            rows = pd.DataFrame(self.oracle.customers, columns=["customer", "country"])
            tables["customers"] = self._write(folder / "customers", pa.table(dict(rows)))
        if "visits" in joined:
            names = [row[0] for row in self.oracle.visits]
            numbers = pa.array([row[1] for row in self.oracle.visits], pa.int64())
            table = pa.table({"customer": pa.array(names, pa.string()), "number": numbers})
            tables["visits"] = self._write(folder / "visits", table)
        if "tiers" in joined:
            tables["tiers"] = self._write(folder / "tiers", self._tiers())
        return self._dataset(folder, tables)

    def _tiers(self) -> pa.Table:
        tiers = self.oracle.tiers
        has_times = any(isinstance(tier.since, dt.datetime) for tier in tiers)
        kinds = {"customer": pa.string(), "tier": pa.string(), "points": pa.int64()}
        kinds |= {"since": pa.timestamp(self.unit) if has_times else pa.date32()}
        kinds |= {"until": pa.date32()}
        return pa.table(
            {
                name: pa.array([getattr(t, name) for t in tiers], kind)
                for name, kind in kinds.items()
            }
        )

    def _dataset(self, folder: Path, tables: dict[str, Any]) -> DatasetConfig:
        source = dict(self.oracle.source)
        histories, attributes = source.get("history", []), source.get("attributes", {})
        blocks = [block for block in histories if "windows" in block]
        names = [f"{n}_{w}" for h in blocks for w in h["windows"] for n in h["features"]]
        if "tiers" in tables:
            names += ["tier", "points"]
        names += [*attributes, *source.get("sample_columns", {})]
        dataset = {
            "name": "world",
            "id": self.oracle.entity,
            "split_key": ["customer"],
            "source": {
                "kind": "transactions",
                "tables": tables,
                "amount": "amount",
                "timestamp": "at",
                **source,
            },
            "features": {
                "categorical": [name for name in names if name in TEXTS],
                "numeric": [name for name in names if name not in TEXTS],
            },
        }
        return config_from({"dataset": dataset, "paths": {"root": str(folder)}}).dataset

    def _sales(self) -> pa.Table:
        events, kind = self.oracle.events, self._type()
        texts = {n: [getattr(e, n) for e in events] for n in ("customer", "shop", "segment")}
        columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
        columns["qty"] = pa.array([e.qty for e in events], pa.int64())
        if self.file == "csv":
            columns["amount"] = pa.array(
                [e.amount if isinstance(e.amount, str | None) else repr(e.amount) for e in events]
            )
            columns["at"] = pa.array([self._written(e.moment) for e in events], pa.string())
        else:
            columns["amount"] = pa.array([e.amount for e in events], pa.float64())
            columns["at"] = pa.array([e.moment for e in events], kind)
        return pa.table(columns)

    def _type(self) -> pa.DataType:
        if self.clock == "date":
            return pa.date32()
        return pa.timestamp(self.unit, tz="UTC" if self.clock == "aware" else None)

    def _written(self, moment: Any) -> str | None:
        if moment is None or isinstance(moment, str):
            return moment
        if self.clock == "date":
            return str(moment)
        text = moment.isoformat(sep=" " if self.unit == "us" else "T")
        return text.replace("+00:00", "Z") if self.unit == "us" else text

    def _write(self, path: Path, table: pa.Table) -> dict[str, str]:
        path = path.with_suffix(f".{self.file}")
        if self.file == "csv":
            table.to_pandas(integer_object_nulls=True).to_csv(path, index=False)
        else:
            pq.write_table(table, path)
        return {"path": str(path), "format": self.file}
