"""A table format of someone's own: a text file with columns of a fixed width."""

from pathlib import Path

from optdist.errors import DataError

WIDTHS = "width."  # options such as `width.user: 4`, in the columns' order


class FixedWidth:
    def read(self, spark, name, table):
        rows, start = spark.read.text(table.path), 1
        for option, width in table.options.items():
            column = option.removeprefix(WIDTHS)
            rows = rows.selectExpr("*", f"trim(substring(value, {start}, {width})) AS {column}_")
            start += int(width)
        names = [option.removeprefix(WIDTHS) for option in table.options]
        return rows.selectExpr(*[f"{column}_ AS {column}" for column in names])

    def fingerprint(self, table):
        if not Path(table.path).exists():
            raise DataError(f"{table.path} is not there.")
        return [Path(table.path).read_text()]

    def explain(self, error):
        return "A line is too short." if "short line" in str(error) else None


class NoFormat:
    """Lacks what a format must have."""
