import pyarrow.parquet as pq

from optdist.layout import DriftFolder
from pipelines.monitoring.drift.page import draw_page
from pipelines.monitoring.drift.rows import ROWS, SCORING, TRAINING, DriftRow, read_rows
from pipelines.monitoring.drift.writing import keep_rows


def rows_at(date, kind=SCORING, failed="", psi=0.1):
    about = {"kind": kind, "date": date, "last_date": None}
    return [
        DriftRow(**about, column="spend <b>", rows=100, missing=0.1, outside=0.0, mean=0.2, std=1.0,
                 q05=-1.0, q50=0.0, q95=2.0, psi_training=psi, psi_last=0.0, failed=failed),
        DriftRow(**about, column="city", rows=100, missing=0.0, unknown=0.3, psi_training=0.3),
        DriftRow(**about, column="predicted_cltv", rows=100, mean=12.5, q50=1.0, q95=40.0),
        DriftRow(**about, column=ROWS, rows=100, failed="history" if failed else ""),
    ]  # fmt: skip


def test_a_date_has_a_row_for_each_column_and_the_page_shows_all_dates(tmp_path):
    folder = DriftFolder(tmp_path / "shop")
    keep_rows(folder, folder.scoring("2024-06-29"), rows_at("2024-06-29"))
    page = keep_rows(folder, folder.scoring("2024-06-30"), rows_at("2024-06-30", failed="mean"))
    keep_rows(folder, folder.training("f1"), rows_at("2024-05-31", TRAINING))
    assert pq.read_table(folder.scoring("2024-06-30")).num_rows == 4
    assert len(read_rows(folder.files())) == 12
    text = page.read_text()
    assert "2024-06-30 was refused" in text and "refused: history, mean" in text
    assert "2024-06-29" in text and "Trainings" in text
    assert "spend &lt;b&gt;" in text and "<b>:" not in text
    assert 'src="http' not in text


def test_a_date_that_is_looked_at_again_replaces_its_rows(tmp_path):
    folder = DriftFolder(tmp_path / "shop")
    for failed in ("mean", ""):
        keep_rows(folder, folder.scoring("2024-06-30"), rows_at("2024-06-30", failed=failed))
    assert {row.failed for row in read_rows(folder.files())} == {""}


def test_a_damaged_file_is_left_out_of_the_page(tmp_path):
    folder = DriftFolder(tmp_path / "shop")
    keep_rows(folder, folder.scoring("2024-06-29"), rows_at("2024-06-29"))
    folder.scoring("2024-06-28").write_bytes(b"PAR1 nonsense")
    page = keep_rows(folder, folder.scoring("2024-06-30"), rows_at("2024-06-30"))
    assert "2024-06-29" in page.read_text()


def test_a_page_of_one_date_without_an_earlier_one_can_be_drawn():
    rows = [row.model_copy(update={"psi_last": None}) for row in rows_at("2024-06-30")]
    assert "Scored dates" in draw_page(rows)
