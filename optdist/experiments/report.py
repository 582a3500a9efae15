"""The report of an experiment: the paper's section 4, from the records alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure

from optdist.experiments import render
from optdist.experiments.results import Results
from optdist.experiments.sections import Sections
from optdist.files import write_atomically

PAPER: dict[str, Any] = yaml.safe_load((Path(__file__).with_name("paper.yaml")).read_text())


def write_report(results: Results, folder: Path, docs: Path | None = None) -> None:
    """Write `report.md`, `report.html` and `figures/` into a folder.

    Args:
        results: what is finished.
        folder: where the report goes.
        docs: also write `results.md` and `results/figures/` there.
    """
    made = Sections(results, PAPER)
    blocks = made.blocks()
    pictures = {name: _png(figure) for name, figure in made.figures.items()}
    places = [(folder / "report.md", "figures", folder / "figures")]
    if docs:
        places.append((docs / "results.md", "results/figures", docs / "results" / "figures"))
    for path, link, figure_folder in places:
        _write(path, render.to_markdown(blocks, link).encode())
        for name, data in pictures.items():
            _write(figure_folder / f"{name}.png", data)
    _write(folder / "report.html", render.to_html(blocks, pictures).encode())


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content))
