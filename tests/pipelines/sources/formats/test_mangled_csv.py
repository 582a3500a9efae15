"""Files that were exported, cut, joined or sent wrongly give rows or one sentence, no traceback."""

import bz2
import gzip
import random

import pytest

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.registry import explain_read_errors, read_table

BASE = "customer,day,amount\n" + "".join(
    f'C{i:03},2024-01-{i % 28 + 1:02},"{i},{i}"\n' for i in range(50)
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"]
SIGNS = ['"', "\n", "\r\n", ",", ";", "\t", "\0", "\\", "é", "'", " ", "\x1a", "\u2028", "#"]
OPTIONS = [
    {"sep": ";"},
    {"sep": "||"},
    {"quote": ""},
    {"escape": "\\"},
    {"multiLine": True},
    {"header": False},
    {"encoding": "UTF-16"},
    {"encoding": "UTF-16", "multiLine": True},
    {"encoding": "no such"},
    {"comment": "#"},
    {"inferSchema": True},
    {"sep": "", "mode": "FAILFAST"},
]


def mangle(seed):
    """A file's suffix, its bytes and options, the same for the same seed."""
    rng = random.Random(seed)
    letters = list(BASE)
    for _ in range(rng.choice([0, 1, 3, 30])):
        letters.insert(rng.randrange(len(letters)), rng.choice(SIGNS))
    if rng.random() < 0.3:
        start = rng.randrange(len(letters))
        del letters[start : start + rng.randrange(200)]
    text = "".join(letters).replace(",", rng.choice([",", ",", ";", "\t"]))
    content = text.encode(rng.choice(ENCODINGS), "replace")
    suffix = rng.choice([".csv", ".csv", ".txt", ".tsv", ".csv.gz", ".csv.bz2"])
    if suffix.endswith(("gz", "bz2")) and rng.random() < 0.9:
        content = (gzip if suffix.endswith("gz") else bz2).compress(content)
    if rng.random() < 0.3:
        content = content[: rng.randrange(len(content))]
    return suffix, content, rng.choice([{}, {}, *OPTIONS])


@pytest.mark.parametrize("seed", range(48))
def test_a_mangled_csv_gives_rows_or_one_sentence(spark, tmp_path, seed):
    suffix, content, options = mangle(seed)
    (tmp_path / f"x{suffix}").write_bytes(content)
    table = TableConfig(path=str(tmp_path / f"x{suffix}"), options=options)
    try:
        with explain_read_errors():
            rows = read_table(spark, "t", table).collect()
    except DataError as error:
        assert str(error).endswith(".")
        assert "\n" not in str(error)
    else:
        assert len(rows) <= content.count(b"\n") + content.count(b"\r") + 1 or suffix[-2:] in "gz2"


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
def test_a_compressed_file_that_ends_early_says_so_when_rows_are_read(spark, tmp_path, suffix):
    rng = random.Random(0)
    text = "a,b\n" + "".join(f"{rng.random()},{rng.random()}\n" for _ in range(60_000))
    content = (gzip if suffix == ".gz" else bz2).compress(text.encode())
    (tmp_path / f"x.csv{suffix}").write_bytes(content[:-1000])
    table = TableConfig(path=str(tmp_path / f"x.csv{suffix}"))
    with pytest.raises(DataError, match="damaged or cut short"), explain_read_errors():
        read_table(spark, "t", table).collect()
