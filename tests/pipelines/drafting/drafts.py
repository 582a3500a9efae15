"""Drafts of small tables, for the tests of drafting."""

from dataclasses import dataclass

import pandas as pd
import yaml

from pipelines.drafting.checking import checker
from pipelines.drafting.events import find_event_roles
from pipelines.drafting.files import table_of
from pipelines.drafting.pipeline import draft_dataset
from pipelines.drafting.profile import profile_table
from pipelines.drafting.request import Request


@dataclass
class Draft:
    """A draft as text, and as the jobs read it."""

    text: str
    content: dict

    @property
    def source(self):
        return self.content["source"]


def draft(spark, *tables, **wishes):
    """The draft of tables at paths."""
    document = draft_dataset(
        spark, Request(tuple(map(str, tables)), **wishes), checker("local", [])
    )
    return Draft(str(document), yaml.safe_load(str(document)))


def event_roles(spark, table, **wishes):
    """The roles alone of a table of events, without its samples."""
    request = Request((str(table),), **wishes)
    profile = profile_table(spark, *table_of(str(table), request, checker("local", [])))
    return find_event_roles(spark, profile, request)


def purchases(customers=40, days=300, seed=0, **columns):
    """Purchases of customers who come back at their own pace; constants become columns."""
    rows = []
    for customer in range(customers):
        pace = 5 + 3 * (customer % 7)
        for day in range(customer % 9, days, pace):
            rows.append((f"C{customer:03}", pd.Timestamp("2023-01-01") + pd.Timedelta(day, "D")))
    frame = pd.DataFrame(rows, columns=["customer", "day"])
    frame["amount"] = [5 + 7 * (i % 13) + (i % 4) / 4 for i in range(len(frame))]
    return frame.assign(**columns)


def write(folder, frame, name="sales.csv", **options):
    """A CSV file with days as text."""
    path = folder / name
    frame = frame.copy()
    if "day" in frame and frame["day"].dtype.kind == "M":
        frame["day"] = frame["day"].dt.strftime("%Y-%m-%d")
    frame.to_csv(path, **{"index": False, **options})
    return path
