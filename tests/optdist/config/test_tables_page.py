"""The examples of docs/tables.md are settings that tables have."""

import re
from pathlib import Path

import pytest
import yaml

from optdist.config.tables import TableConfig

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "tables.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
TABLES = [table for block in BLOCKS for table in yaml.safe_load(block)["tables"].values()]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["format"])
def test_an_example_of_a_table_is_one(table):
    assert TableConfig(**table).format == table["format"]


@pytest.mark.parametrize("format", ["csv", "delta", "orc", "table"])
def test_a_format_that_needs_a_path_says_so(format):
    with pytest.raises(ValueError, match=f"format: {format} needs a path"):
        TableConfig(format=format)
