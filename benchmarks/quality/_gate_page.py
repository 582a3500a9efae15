"""Writes tables of the gate's benchmarks into their places in docs/gate.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gate.md"


def write_section(name: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Replace what stands between the two marks of a section.

    Args:
        name: the section's, as in `<!-- faults -->` and `<!-- end of faults -->`.
        lines: of Markdown.
        page: the file.
    """
    text = page.read_text()
    first, last = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, rest = text.split(first)
    after = rest.split(last)[1]
    body = "\n".join(lines)
    page.write_text(f"{before}{first}\n{body}\n\n{last}{after}")


def as_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns are texts."""
    return ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]
