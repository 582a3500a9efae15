"""A small made-up shop: transactions of a known structure, and their data set's config."""

import numpy as np
import pandas as pd

from optdist.config import Config, config_from


def transactions(customers: int = 900, seed: int = 0) -> pd.DataFrame:
    """Purchases over 2024; customers of segment a come back more and spend more."""
    rng = np.random.default_rng(seed)
    parts = []
    for customer in range(customers):
        rich = rng.random() < 0.4
        first = rng.integers(31, 180)
        count = 1 + rng.poisson(3.0 if rich else 0.4)
        days = np.concatenate([[first], first + rng.integers(1, 180, count - 1)])
        parts.append(
            pd.DataFrame(
                {
                    "customer": customer,
                    "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(days), "D"),
                    "amount": np.round(rng.lognormal(3.0 if rich else 1.5, 0.6, count), 2),
                    "segment": "a" if rich else rng.choice(["b", "c"]),
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    frame["day"] = frame["day"].dt.strftime("%Y-%m-%d")
    return frame


def monthly(folder, raw, numeric, **sections) -> Config:
    """The shop's configuration with snapshots of customers at each month's start."""
    written = config(folder, raw, **sections).model_dump(mode="json")
    history = {
        "key": ["customer"],
        "windows": {"all": None, "60d": 60},
        "features": {"sales": "count(*)", "spend": "sum(amount)", "recency": "min(days_before)"},
    }
    written["dataset"]["source"] |= {
        "first_purchase": None,
        "snapshots": {"start": "2024-03-01", "end": "2024-07-01", "every": "month"},
        "history": [history],
        "sample_columns": {"month": "month(snapshot_date)"},
    }
    written["dataset"]["features"] = {"categorical": ["segment", "month"], "numeric": numeric}
    return config_from(written)


def config(folder, raw, **sections) -> Config:
    """The shop's configuration, everything kept under `folder`."""
    return config_from(
        {
            "dataset": {
                "name": "shop",
                "id": ["customer"],
                "split_key": ["customer"],
                "source": {
                    "kind": "transactions",
                    "tables": {"sales": {"path": str(raw), "format": "csv"}},
                    "amount": "amount",
                    "timestamp": "day",
                    "first_purchase": {"start": "2024-02-01", "end": "2024-06-28"},
                    "horizon_days": 90,
                    "attributes": {"segment": "first(segment)", "first_spend": "sum(amount)"},
                    "history": [
                        {
                            "key": ["segment"],
                            "windows": {"30d": 30},
                            "features": {
                                "sales": "count(*)",
                                "days_since": "min(days_before)",
                            },
                        }
                    ],
                    "sample_columns": {"weekday": "dayofweek(first_day)"},
                },
                "features": {
                    "categorical": ["segment", "weekday"],
                    "numeric": {
                        "first_spend": {"log1p": True},
                        "sales_30d": {"log1p": True},
                        "days_since_30d": {},
                    },
                    "min_frequency": 2,
                },
            },
            "build": {"min_row_groups": 6},
            "model": {"num_sdns": 3, "sdn": [16, 8], "dsm": [8]},
            "training": {"epochs": 3, "batch_size": 128, "ranks": 2},
            "paths": {"root": str(folder)},
            "spark": {"spark.sql.session.timeZone": "UTC"},
            **sections,
        }
    )
