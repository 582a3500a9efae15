"""What the first lines of a CSV say."""

import bz2
import gzip
import zipfile

import pytest

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.files import Csv
from pipelines.sources.formats.headers import column_names, read_header
from pipelines.sources.formats.registry import read_table


def header_of(path, *contents, **options):
    files = []
    for i, content in enumerate(contents):
        files.append(path / f"{i}.csv")
        files[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_header(files, {**Csv.defaults, **options})


@pytest.mark.parametrize(
    ("content", "options", "header"),
    [
        ("a,b\n1,2\n", {}, ["a", "b"]),
        ("\ufeffa,b\r\n1,2\r\n", {}, ["a", "b"]),
        ("\n  \na,b\n1,2", {}, ["a", "b"]),
        ('"a ""x""",b\n1,2\n', {}, ['a "x"', "b"]),
        ("# note\na|b\n1|2\n", {"comment": "#", "sep": "|"}, ["a", "b"]),
        ("a||b\n1||2\n", {"delimiter": "||"}, ["a", "b"]),
        ('"a\nx",b\n1,2\n', {"multiLine": "true"}, ["a\nx", "b"]),
        ("a\n1\n", {}, ["a"]),
        ("a,b\n1,2\n".encode("utf-16"), {"encoding": "UTF-16", "multiLine": "true"}, ["a", "b"]),
        ('a,b\n"C:\\dir\\",2\n', {}, ["a", "b"]),
        ("größe,b\n1,2\n".encode("latin-1"), {"encoding": "ISO-8859-1"}, ["größe", "b"]),
        ('a,b\n5" pipe,2\n"x ""y""",3\n', {}, ["a", "b"]),
        ("a,b\n1,2\n", {"header": "false"}, None),
    ],
)
def test_a_header_is_read_as_spark_reads_it(tmp_path, content, options, header):
    assert header_of(tmp_path, content, **options) == header


def test_headers_of_a_folder_may_differ_in_case_and_blanks(tmp_path):
    assert header_of(tmp_path, "a,b\n1,2\n", "A, b\n", "\ufeffa,b\n") == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "is empty"),
        ("", {"header": "false"}, "is empty"),
        ("\r\n\r\n", {}, "is empty"),
        ("a,b\n", {}, "has a header and no row"),
        ("a;b\n1;2\n", {}, r"one column with the separator ',': 'a;b'. Set options: {sep: ';'}"),
        ("a\tb\n1\t2\n", {}, r'{sep: "\\t"}'),
        ("a,b\n1,2\n", {"sep": ";"}, r"{sep: ','}"),
        ("sep=;\na;b\n1;2\n", {}, "a note for Excel. Remove it"),
        ("# v2\na,b\n1,2\n", {}, r"not a header: .*'# v2'.*{comment: \"#\"}, or remove what"),
        ("Sales of May\na,b\n1,2\n", {}, "one field, 'Sales of May'.*Remove what stands above"),
        ('a,b\n"5\\" pipe, long",2\n', {}, r"with a backslash. Set options: {escape: '\\'}"),
        ('a,b\n1,"x\ny"\n', {}, r"line 2 of .* goes on in line 3, .*{multiLine: true}"),
        ("a,b\n1,2\n".encode("utf-16"), {}, r"UTF-16.*encoding: UTF-16, multiLine: true"),
        ("a,b\n1,2\n".encode("utf-16"), {"encoding": "UTF-16"}, "with multiLine alone"),
        ("a,b\n1,2\n".encode("utf-16-le"), {}, "has NUL bytes"),
        ("a,b\n1,é\n".encode("latin-1"), {}, r"not UTF-8 \(line 2: byte 0xe9\).*windows-1252"),
        (b"\x1f\x8bxx", {}, "compressed with gzip. Give it a name that ends with .gz"),
        (b"\xd0\xcf\x11\xe0xx", {}, "an old Excel file"),
        (b"PAR1xx", {}, "a Parquet file. Set format: parquet"),
        ("<!DOCTYPE html><p>", {}, "a web page"),
        ("\n<!doctype html>\n<p>", {}, "a web page"),
        ("<HTML>\n<p>", {}, "a web page"),
        ('{"a": 1, "b": 2}\n', {}, "is JSON, not CSV. Set format: json"),
        ("x" * 257 + "ustar\0" + "a,b\n1,2\n", {}, "a tar archive"),
        ("a" * 300_000, {}, "more than 65,536 letters"),
    ],
)
def test_a_file_that_is_no_good_csv_says_what_it_is(tmp_path, content, options, message):
    with pytest.raises(DataError, match=message):
        header_of(tmp_path, content, **options)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("sales.csv", "a zip archive. Unpack it"),
        ("[Content_Types].xml", "an Excel file. Save the sheet as CSV"),
    ],
)
def test_a_zip_is_an_archive_or_a_workbook(tmp_path, member, message):
    with zipfile.ZipFile(tmp_path / "x.csv.zip", "w") as archive:
        archive.writestr(member, "a,b\n1,2\n")
    with pytest.raises(DataError, match=message):
        read_header([tmp_path / "x.csv.zip"], Csv.defaults)


@pytest.mark.parametrize(
    ("second", "message"),
    [("a,c\n", "lacks b and it also has c"), ("b,a\n", "another order"), ("a\n", "lacks b")],
)
def test_another_header_is_compared_by_name(tmp_path, second, message):
    with pytest.raises(DataError, match=rf"1\.csv differs from .*0\.csv: .*{message}"):
        header_of(tmp_path, "a,b\n1,2\n", second)


def test_a_compressed_file_is_looked_into(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    (tmp_path / "b.csv.bz2").write_bytes(bz2.compress(b"a,b\n1,2\n"))
    assert read_header([tmp_path / "a.csv.gz", tmp_path / "b.csv.bz2"], Csv.defaults) == ["a", "b"]
    (tmp_path / "a.csv.gz").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(DataError, match="not compressed with gzip"):
        read_header([tmp_path / "a.csv.gz"], Csv.defaults)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n")[:-9])
    with pytest.raises(DataError, match="damaged or cut short"):
        read_header([tmp_path / "a.csv.gz"], Csv.defaults)


def test_names_are_stripped_and_each_is_there_once():
    assert column_names(["", " a", "b ", "B", "a.b", ""]) == [
        "_c0",
        "a",
        "b (column 3)",
        "B (column 4)",
        "a.b",
        "_c5",
    ]


@pytest.mark.parametrize(
    ("content", "columns", "first"),
    [
        (",a,b\n0,1,2\n", ["_c0", "a", "b"], ["0", "1", "2"]),
        ("a,b,\n1,2,\n", ["a", "b", "_c2"], ["1", "2", None]),
        ("a,x,b,x\n1,2,3,4\n", ["a", "x (column 2)", "b", "x (column 4)"], list("1234")),
        ('a, b\n1, "2, 3"\n', ["a", "b"], ["1", "2, 3"]),
        ("\ufeffa;b\n1;2\n", ["a", "b"], ["1", "2"]),
        ("a\tb\n1\t2\n", ["a", "b"], ["1", "2"]),
    ],
)
def test_one_file_never_differs_from_another(spark, tmp_path, content, columns, first):
    file = tmp_path / ("x.tsv" if "\t" in content else "x.csv")
    file.write_text(content)
    options = {"sep": ";"} if ";" in content else {}
    rows = read_table(spark, "t", TableConfig(path=str(file), options=options))
    assert rows.columns == columns
    assert [list(row) for row in rows.collect()] == [first]


def test_utf_16_is_read_where_the_options_say_so(spark, tmp_path):
    (tmp_path / "x.csv").write_bytes("a,b\nä,2\n".encode("utf-16"))
    table = TableConfig(
        path=str(tmp_path / "x.csv"), options={"encoding": "UTF-16", "multiLine": True}
    )
    assert [tuple(row) for row in read_table(spark, "t", table).collect()] == [("ä", "2")]
