"""Renders the blocks of a report as Markdown and as HTML."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Heading:
    """A title of a level, from 1."""

    level: int
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph; `**bold**` and `code` in backticks are rendered."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table; the first column is text, the others are figures."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A figure, the name of its file, and what it shows."""

    name: str
    caption: str
    figure: Figure


Block = Heading | Text | Table | Picture

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em;
       color: #222; background: #fff }
table { border-collapse: collapse; font-size: 13px; margin: 1em 0; display: block;
        overflow-x: auto }
th, td { padding: 3px 9px; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 2px solid #888 }
img { max-width: 100% }
figcaption { color: #555; font-size: 13px }
code { background: #f2f2f2; padding: 0 3px }
"""


def to_markdown(blocks: Sequence[Block], figures: str) -> str:
    """Markdown whose pictures are files in the folder `figures`."""
    parts = []
    for block in blocks:
        match block:
            case Heading(level, text):
                parts.append(f"{'#' * level} {text}")
            case Text(text):
                parts.append(text)
            case Picture(name, caption, _):
                parts.append(f"![{caption}]({figures}/{name}.png)\n\n{caption}")
            case Table(header, rows):
                lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
                parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts) + "\n"


def to_html(blocks: Sequence[Block], pictures: Mapping[str, bytes]) -> str:
    """One HTML file that contains its pictures too.

    Args:
        blocks: the report's; the first heading is the title.
        pictures: name -> PNG.
    """
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    body = "\n".join(_element(block, pictures) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _element(block: Block, pictures: Mapping[str, bytes]) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case Text(text):
            return f"<p>{_inline(text)}</p>"
        case Picture(name, caption, _):
            data, shown = base64.b64encode(pictures[name]).decode(), _inline(caption)
            return (
                f'<figure><img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">'
                f"<figcaption>{shown}</figcaption></figure>"
            )
        case Table(header, rows):
            head = "".join(f"<th>{_inline(cell)}</th>" for cell in header)
            body = "\n".join(
                "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>"
                for row in rows
            )
            return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _inline(text: str) -> str:
    escaped = html.escape(text, quote=False)
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", bold)
