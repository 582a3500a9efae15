"""Writes what was done for which customers, without naming them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from pydantic import BaseModel

from optdist.files import write_json
from optdist.version import __version__
from pipelines.forgetting.customers import Customers

KEY = "OPTDIST_RECEIPT_KEY"  # the environment variable of a secret that the hashes depend on
_COST = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}  # of scrypt: 16 MB and about 50 ms


class Hidden(BaseModel):
    """Customers as hashes; who has an id, the salt and the key can tell whether it is among them.

    Without a key anybody can try ids one by one, which takes long for ids of many kinds alone.
    """

    method: str = "HMAC-SHA256 of the id, its values joined by commas, under scrypt(key, salt)"
    is_keyed: bool  # whether a secret key was set
    salt: str
    columns: list[str]
    hashes: list[str]


class Receipt(BaseModel):
    """What was found and removed."""

    dataset: str
    optdist: str = __version__
    finished: str
    complete: bool  # False: something was busy or could not be read
    customers: Hidden
    found: int  # of the customers, how many had rows
    raw: dict[str, int]  # rows in raw tables, which with --keep-raw may be there; -1: not readable
    removed: dict[str, int]  # rows, by folder below the root
    hidden_categories: dict[str, int]  # ids among a schema's categories, by feature table
    unfinished_runs: list[str]  # trainings that were interrupted, removed with their checkpoints
    backtest_models: int  # kept by backtests, removed: one that needs them trains them again
    deleted_versions: list[str]
    spark_folders: int  # what killed jobs had left in Spark's local directories
    verified_files: int  # that were looked at again after that
    remaining: list[str]  # what still knows of them, in words
    seconds: float


def hide(customers: Customers) -> Hidden:
    """Hash the customers' ids with a new salt, and with the key in the environment if there is one.

    Without a key an id of few digits can be found by trying all: keep receipts as safe as the data.
    """
    key, salt = os.environ.get(KEY, ""), secrets.token_bytes(16)
    derived = hashlib.scrypt(key.encode(), salt=salt, **_COST)
    texts = [",".join(one).encode() for one in customers.ids]
    hashes = sorted(hmac.new(derived, text, hashlib.sha256).hexdigest() for text in texts)
    return Hidden(is_keyed=bool(key), salt=salt.hex(), columns=[*customers.columns], hashes=hashes)


def write_receipt(folder: Path, receipt: Receipt) -> Path:
    """Write a receipt next to the earlier ones, and return its file."""
    name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}.json"
    write_json(folder / name, receipt.model_dump())
    return folder / name
