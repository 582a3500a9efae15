"""The page docs/data_quality.md: what happens to tables with quirks, as tests found it.

A test says what it saw by `record`, which holds the committed page equal to it. `make quality` runs
these tests, collects what they see, and writes the page.
"""

import json
import os
import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data_quality.md"
COLLECT = "DATA_QUALITY_RESULTS"  # a file: outcomes are added to it instead of compared
HEAD = """# What happens to tables with quirks

Tables that people have, small, each with one quirk, and what a job makes of them: the right
samples, or one sentence and an exit code that is not 0. `make quality` writes this page from what
the tests see, and a test fails where the page says something else. Right values are those that
pandas computes (`tests/data/quirks`), or those of the same shop written without the quirk;
[samples.md](samples.md) defines them.
"""
SECTIONS: dict[str, dict[str, str]] = {
    "Types of CSV columns": {
        "case00_control": "no quirk; `max(cast(amount AS double))` over text",
        "case01_max_of_csv_text": "`max(amount)` over amounts that are text in the file",
        "where_on_text": "`where: amount > 0.5` over text",
        "ordered_by_text": "`max_by(city, amount)` over text",
        "word_among_numbers": "`sum(quantity)` over a column that also has the word `many`",
        "cleaned_text": "`max(replace(price, '$', ''))`",
        "written_days": "`where: shipped > '31.12.2022'` over such days",
        "case27_tz": "times with a zone, 23:30 in New York",
        "leading_zeros": "ids `007` and `7`",
    },
    "Dates": {
        "case33_typo_date": "one event of 2026 in data that end in 2024",
        "no_event_in_window": "a month without events, in which a label window lies",
        "case62_weekly": "weekly snapshots across 29 February",
        "case68_first_purchase_window": "several orders on the first day; customers from before",
    },
    "Folders of table formats": {
        "case15_delta": "a Delta table after OPTIMIZE, read as Parquet",
        "hudi": "a folder with `.hoodie`",
        "iceberg": "a folder with `metadata/v1.metadata.json`",
    },
    "Rows of other lengths, quarantine": {
        "case08_unquoted_thousands": "`9,999.99` without quotes: a field too many in 5 rows",
        "short_rows": "a field too few in many rows",
        "one_short_row": "a field too few in one row",
        "quote_without_end": "a quote that does not end, with `multiLine`",
        "double_suffix": "an amount `12.50D`",
        "vanished": "a customer all of whose rows are bad",
    },
    "Scoring files of other writers than training's": {
        "s_order_extra.csv": "columns in another order, and more of them",
        "s_upper.csv": "column names in upper case",
        "s_label_null.csv": "an empty label",
        "s_plan_int.csv": "a category `3` that was `3.0`",
        "s_bool_lower.csv": "a category `true` that was `True`",
        "s_parquet.parquet": "Parquet with types where training had CSV",
        "s_all_null_num.csv": "a number that nobody has",
        "s_lower_blank.csv": "a category `de ` that was `DE`",
        "s_new_categories.csv": "categories that training did not know",
        "s_missing_col.csv": "a feature's column is not there",
        "s_semicolon.csv": "another separator",
        "s_thousands.csv": "numbers such as `3,000`",
        "s_empty.csv": "a header and no row",
    },
    "Joins": {
        "case25_join_float_id": "ids `17850.0` and `17850`",
        "joins_nothing": "ids that no row of the joined table has",
        "joins_little": "fewer partners than `min_matched`",
        "joins_twice": "a joined table with two rows of one key",
    },
    "Names of files, folders, ids": {
        "brackets": "a file `sales [1].csv`",
        "pattern": "a path with `*`",
        "case23_hive_leading_zero": "a folder `bucket=07`",
        "case21_nan_id": "a quarter of the ids are the text `nan`",
    },
    "Parquet, formats, folders": {
        "case03_parquet_ns": "nanoseconds, as pandas writes them",
        "case75_parquet_path_folder_csv": "a CSV file without `format`",
        "case16_mixed_parquet": "a column that is whole in one file and a fraction in another",
        "stray_file": "a PDF in a folder of CSV files",
    },
    "Names of columns": {
        "case50c_r_dots_unused": "an unused column `Unit.Price`",
        "odd_names": "columns `spend.total`, `group by`, `order`",
        "case22_raw_snapshot_date": "a raw column `snapshot_date`",
        "own_names": "raw columns `first_day`, `reason`, `label`, `split`, `event_day`",
        "case52_case": "letter case of the header differs from the settings'",
    },
    "Settings": {
        "root_not_made": "a `paths.root` below a file",
        "model_name": "a model's name with `..`",
        "label_of_transactions": "`label:` with `kind: transactions`",
    },
    "Texts that are not read as they stand": {
        "case10_dmy": "dates such as `31/01/2024`",
        "case11_intdate_csv": "dates such as `20240131`",
        "epoch_seconds": "seconds since 1970",
        "epoch_millis": "milliseconds since 1970",
        "excel_serials": "days as Excel counts them",
        "case09_currency": "`$9.99`",
        "currency_code": "`12.50 EUR`",
        "case05_excel_de_sep": "`1.234,56` and `31.01.2024`",
    },
    "Files": {
        "case81b_pandas_index_transactions": "the index that pandas writes as a column",
        "trailing_comma": "a comma at the end of each line",
        "doubled_column": "an unused column that is there twice",
        "blanks_after_commas": "blanks after commas",
        "case31c_newline_multiline": "line breaks within quotes, with `multiLine`",
        "newline": "line breaks within quotes, without `multiLine`",
        "case19_zip": "a zip archive",
        "utf16": "UTF-16",
        "empty_file": "a file of 0 bytes",
        "case35_one_time": "nobody buys twice",
    },
}
ODD = {key: odd for rows in SECTIONS.values() for key, odd in rows.items()}


def record(key: str, outcome: str) -> None:
    """Compare an outcome with the page, or collect it for a new page."""
    if os.environ.get(COLLECT):
        with Path(os.environ[COLLECT]).open("a") as results:
            results.write(json.dumps({key: outcome}) + "\n")
        return
    assert row(key, outcome) in PAGE.read_text(), (
        f"docs/data_quality.md says something else of {key} than `{outcome}`. If the new outcome "
        f"is right, write the page again: make quality."
    )


def refusal(error: Exception, *folders: Path) -> str:
    """An error's sentence as a user reads it, without this machine's folders."""
    text = str(error)
    for folder in sorted(map(str, folders), key=len, reverse=True):
        text = text.replace(f"file://{folder}", "…").replace(folder, "…")
    text = re.sub(r"…[^\s;,:]*/quarantine", "…/quarantine", text)
    return f"refused: {text}"


def row(key: str, outcome: str) -> str:
    """A line of the table."""
    escaped = (
        outcome.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("*", "\\*")
    )
    return f"| {ODD[key]} | {escaped} |".replace("<", "&lt;")


def page(outcomes: dict[str, str]) -> str:
    """The whole page."""
    lines = [HEAD]
    for section, rows in SECTIONS.items():
        lines += [f"## {section}\n", "| Quirk | What happens now |", "|---|---|"]
        lines += [row(key, outcomes[key]) for key in rows if key in outcomes]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    outcomes: dict[str, str] = {}
    for line in Path(sys.argv[1]).read_text().splitlines():
        outcomes |= json.loads(line)
    missing = [key for key in ODD if key not in outcomes]
    if missing:
        sys.exit(f"no outcome of {', '.join(missing)}; the page stays as it is")
    PAGE.write_text(page(outcomes))
    print(f"{PAGE}: {len(outcomes)} rows")
