"""JSON lines, and what is not."""

import gzip

import pytest

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.registry import explain_read_errors, read_table


def read(spark, file, content, **options):
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with explain_read_errors():
        rows = read_table(spark, "t", TableConfig(path=str(file), options=options))
        return [tuple(row) for row in rows.collect()]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ('[{"a": 1}]', r"a JSON array.*multiLine: true"),
        ('\n{\n"a": 1}\n', r"Line 2 of .* is not a JSON object.*multiLine: true"),
        ('{"a": 1}\n{"a": \n', "Line 2 of .* is not a JSON object"),
        ('{"a": 1}\n\n"text"\n', "Line 3 of .* is not a JSON object"),
        ("a,b\n1,2\n", "does not begin with a JSON object. Set the table's format"),
        ('{"a": 1}\n'.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04", "zip archive"),
    ],
)
def test_what_is_not_json_lines_says_what_it_is(spark, tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(spark, tmp_path / "x.json", content)


def test_an_array_is_read_where_the_options_say_so(spark, tmp_path):
    rows = read(spark, tmp_path / "x.json", '[{"a": 1},\n{"a": 2}]', multiLine=True)
    assert rows == [(1,), (2,)]


def test_a_bad_line_of_a_compressed_file_is_found(spark, tmp_path):
    with pytest.raises(DataError, match=r"Line 2 of .*x\.jsonl\.gz is not"):
        read(spark, tmp_path / "x.jsonl.gz", gzip.compress(b'{"a": 1}\n{"a"\n'))
