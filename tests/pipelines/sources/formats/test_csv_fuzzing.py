"""Whatever bytes a CSV file has: what was written is read, or marked, or refused as a DataError."""

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from quick import settings_of

from optdist.config import config_from
from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.features.samples import build_samples
from pipelines.sources.formats.base import RAGGED
from pipelines.sources.formats.files import Csv
from pipelines.sources.formats.headers import read_header
from pipelines.sources.formats.registry import explain_read_errors, read_table

FEW = settings(max_examples=max(1, settings.default.max_examples // 3))  # each is a Spark job
FEWER = settings(max_examples=max(1, settings.default.max_examples // 10))  # or several
BREAKS = ["\n", "\r\n", "\r", "\n\n", "\x00", "\x1a", "\ufeff", "\u2028", "\x85", "\x0b"]
PIECES = st.sampled_from(
    [
        *("id", "day", "amount", "label", "1", "2.5", "-3", "9,99", "2024-01-31", "x", "ä", "💥"),
        *(" ", ",", ";", "\t", "|", '"', '""', '"""', "'", "\\", "#", "=", "sep=;", "nan"),
        *BREAKS,
    ]
)
FIELD = st.lists(PIECES | st.text(max_size=3), max_size=4).map("".join)
LINES = st.lists(st.lists(FIELD, max_size=5).map(",".join), max_size=6).map("\n".join)
ENCODED = st.tuples(
    LINES | st.lists(PIECES, max_size=40).map("".join),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift-jis"]),
).map(lambda pair: pair[0].encode(pair[1], "ignore"))
HEADED = ENCODED.map(lambda content: b"id,day,amount,label\n" + content)
BYTES = st.one_of(st.binary(max_size=60), ENCODED, HEADED, ENCODED.map(lambda c: c[:-1] + b"\xff"))
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "sep": st.sampled_from([",", ";", "\\t", "||", "", "\x00"]),
        "quote": st.sampled_from(['"', "'", "", "ab"]),
        "escape": st.sampled_from(["\\", '"', ""]),
        "comment": st.sampled_from(["#", ""]),
        "multiLine": st.sampled_from(["true", "false", "maybe"]),
        "header": st.sampled_from(["true", "false", "1"]),
        "encoding": st.sampled_from(["utf-8", "latin1", "UTF-16", "UTF-16LE", "no-such", "idna"]),
        "lineSep": st.sampled_from(["\n", "\r", ";", ""]),
        "maxColumns": st.sampled_from(["2", "0", "x"]),
    },
)


@given(content=BYTES, options=OPTIONS)
@example(b"", {})
@example(b'"' * 1000, {"header": "true"})
@example(b"a,b\n" + b"x" * 300_000, {"header": "true"})
@example(b"a,b\r1,2\r", {"header": "true"})
@example(b"a,b\n1,2\n", {"header": "true", "quote": "ab"})
@example(b"a,b\n1,2\n", {"header": "true", "escape": "ab"})
@example(b"a\x00,b\n1,2\n", {"header": "true", "sep": "\x00"})
@example("a,b\n1,2\n".encode("utf-16"), {"header": "true", "encoding": "UTF-16"})
def test_any_file_has_a_header_or_is_refused(tmp_path, content, options):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    try:
        read_header([path], {**Csv.defaults, **options})
    except DataError as error:
        assert_sentence(error)


@pytest.mark.slow
@FEW
@given(content=BYTES, options=OPTIONS)
@example(b"a,b\n1,2\n3\n4,5,6\n", {})
@example(b"a,b\n" + b",".join([b"1"] * 30_000) + b"\n", {})
@example(b"a,b\n1," + b"x" * 3_000_000 + b"\n", {})
@example(b"a,b\n1,2\n", {"maxColumns": "1"})
@example(b"a,b\n1,2\n", {"maxColumns": "x"})
@example(b"a,b\n1,2\n", {"sep": "||"})
@example(b"a,b\n1,2\n", {"quote": "ab"})
@example(b"a,b\n1,2\n", {"multiLine": "maybe"})
@example(b"a,b\n1,2\n", {"encoding": "no-such"})
def test_any_file_is_read_or_refused(spark, tmp_path, content, options):
    read(spark, tmp_path, content, options)


@pytest.mark.slow
@FEW
@given(
    rows=st.lists(st.lists(FIELD, min_size=2, max_size=4), min_size=1, max_size=6),
    ends=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    start=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    several=st.booleans(),
)
@example([["a\rb", "1"]], "\n", csv.QUOTE_ALL, b"", False)
@example([["a\nb", "1"], ["", ""], ['"', "\\"]], "\r\n", csv.QUOTE_ALL, b"", True)
@example([["# no comment", "\\"], ["\\", '"\\"']], "\n", csv.QUOTE_MINIMAL, b"\xef\xbb\xbf", False)
def test_fields_come_back_as_they_were_written(
    spark, tmp_path, rows, ends, quoting, start, several
):
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=ends)
    writer.writerow(["one", "two", "three"])
    writer.writerows(rows)
    content = start + text.getvalue().encode("utf-8", "replace")
    read_rows = read(spark, tmp_path, content, {"multiLine": "true"} if several else {})
    if (
        quoting == csv.QUOTE_MINIMAL
        and ends == "\n"
        and any("\r" in field for row in rows for field in row)
    ):
        return  # the writer does not quote it, so that the file has other rows
    broken = [row for row in rows if any("\n" in field or "\r" in field for field in row)]
    if broken and not several:  # whoever needs multiLine is told so
        assert read_rows is None or all(len(row) != 3 for row in broken)
        return
    if read_rows is None:
        return
    good = [list(row)[:3] for row in read_rows if row[RAGGED] is None]
    assert [plain(row) for row in good] == [plain(row) for row in rows if len(row) == 3]
    assert len(read_rows) == len(rows)


@pytest.mark.slow
@FEWER
@given(content=HEADED)
@example(b"id,day,amount,label\n1,2024-01-01,2,3\n")
def test_samples_of_any_file_are_made_or_refused(spark, tmp_path, content):
    path = tmp_path / "samples.csv"
    path.write_bytes(content)
    source = {"kind": "samples", "label": "label", "where": "amount > 0 OR day < '2024-06-01'"}
    source["tables"] = {"main": {"path": str(path), "format": "csv"}}
    features = {"categorical": ["day"], "numeric": ["amount"]}
    dataset = {"name": "any", "id": ["id"], "split_key": ["id"], "source": source}
    made = config_from({"dataset": {**dataset, "features": features}, "paths": {"root": "x"}})
    try:
        with settings_of(spark), explain_read_errors():
            samples = build_samples(spark, made.dataset)
            samples.rows.collect(), samples.quarantine.collect()
            samples.release()
    except DataError as error:
        assert_sentence(error)


def read(spark, folder, content, options):
    """The rows that Spark reads; None: the file was refused."""
    path = folder / "table.csv"
    path.write_bytes(content)
    table = TableConfig(path=str(path), format="csv", options=options)
    try:
        with settings_of(spark), explain_read_errors():
            return read_table(spark, "main", table, marked=True).collect()
    except DataError as error:
        assert_sentence(error)
        return None


def plain(row):
    """Fields as they compare: null is empty, and a line's end within quotes is one letter."""
    texts = [(field or "").replace("\r\n", "\n").replace("\r", "\n") for field in row]
    return [text.encode("utf-8", "replace").decode() for text in texts]


def assert_sentence(error):
    text = str(error)
    assert "Traceback" not in text and "\tat " not in text and len(text) < 2000
