"""Renders the blocks of a report as Markdown and as HTML."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
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
class Warnings:
    """Sentences that must not be overlooked."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table; the first column is short text, those of `texts` are sentences, others figures."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[int] = ()


@dataclass(frozen=True)
class Picture:
    """A figure, the name of its file, and what it shows."""

    name: str
    caption: str
    figure: Figure
    width: int | None = None  # on a wide screen [CSS pixels]; None: that of the picture


Block = Heading | Text | Warnings | Table | Picture

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def to_markdown(blocks: Sequence[Block], figures: str) -> str:
    """Markdown whose pictures are files in the folder `figures`."""
    parts = []
    for block in blocks:
        match block:
            case Heading(level, text):
                parts.append(f"{'#' * level} {text}")
            case Text(text):
                parts.append(text)
            case Warnings(texts):
                parts.append("\n".join(f"> {text}" for text in texts))
            case Picture(name, caption):
                parts.append(f"![{caption}]({figures}/{name}.png)\n\n{caption}")
            case Table(header, rows):
                lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
                parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts) + "\n"


def to_html(blocks: Sequence[Block], pictures: Mapping[str, bytes]) -> str:
    """One HTML file that contains its pictures too; nothing is loaded from elsewhere.

    Args:
        blocks: the report's; the first heading is the title.
        pictures: name -> PNG.
    """
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    parts = [(type(block).__name__, block) for block in blocks]
    data = {name: base64.b64encode(png).decode() for name, png in pictures.items()}
    page = _PAGES.get_template("page.html.j2")
    return page.render(title=title, parts=parts, pictures=data)


def to_page(blocks: Iterable[Block]) -> str:
    """One HTML file of blocks, whose pictures are sharp on fine screens."""
    blocks = list(blocks)
    return to_html(blocks, to_pngs(blocks, dpi=200))


def to_pngs(blocks: Iterable[Block], dpi: int = 110) -> dict[str, bytes]:
    """The pictures among blocks as PNG, by name."""
    return {b.name: to_png(b.figure, dpi) for b in blocks if isinstance(b, Picture)}


def to_png(figure: Figure, dpi: int = 110) -> bytes:
    """A figure as PNG, the same bytes for the same figure."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi, metadata={"Software": None})
    return content.getvalue()


def _inline(text: str) -> Markup:
    """Escaped text in which `**bold**` and `code` in backticks are rendered."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(text)))
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", bold))


_PAGES.filters["inline"] = _inline
