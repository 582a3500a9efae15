"""Writes the report of an experiment: the paper's section 4, from the records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from optdist.files import write_atomically
from pipelines import rendering
from pipelines.experiments.plan.results import Results
from pipelines.experiments.report.contents import blocks

PAPER: dict[str, Any] = yaml.safe_load((Path(__file__).with_name("paper.yaml")).read_text())


def write_report(results: Results, folder: Path, page: Path | None = None) -> None:
    """Write `report.md`, `report.html` and `figures/` into a folder.

    Args:
        results: the finished cells.
        folder: where the report goes.
        page: also write this file, and `figures/` next to the records.
    """
    content = blocks(results, PAPER)
    pictures = rendering.to_pngs(content)
    places = [(folder / "report.md", "figures", folder / "figures")]
    if page:
        figures = results.store.folder / "figures"
        places.append((page, figures.relative_to(page.parent).as_posix(), figures))
    for path, link, figure_folder in places:
        _write(path, rendering.to_markdown(content, link).encode())
        for name, data in pictures.items():
            _write(figure_folder / f"{name}.png", data)
    _write(folder / "report.html", rendering.to_html(content, pictures).encode())


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content))
