import pytest

from pipelines.sources.shapes import LONGEST, shape, with_shape

SHAPES = [
    ("$1,234.50", "$9,999.99"),
    ("31/01/2024 10:05", "99/99/9999 99:99"),
    ("Ärger-Nr. 7ß", "Aaaaa-Aa. 9a"),
    ("1\r\nB", "9 A"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), SHAPES)
def test_a_shape_shows_no_digit_and_no_letter_of_the_value(text, expected):
    assert shape(text) == expected


def test_a_long_text_is_cut():
    assert shape("x" * 100) == "a" * LONGEST + "..."


def test_spark_gives_the_same_shapes(spark):
    texts = [text for text, _ in SHAPES] + ["x" * 100]
    rows = spark.createDataFrame([(text,) for text in texts], "text string")
    shapes = [row[0] for row in rows.select(with_shape(rows["text"])).collect()]
    assert shapes == [shape(text) for text in texts]
