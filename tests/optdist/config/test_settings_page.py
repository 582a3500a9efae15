from pathlib import Path

from optdist.config.explain import as_markdown, as_text, reference

PAGE = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


def test_the_page_of_all_settings_is_current():
    assert PAGE.read_text() == as_markdown(), "run `make settings` and commit docs/settings.md"


def test_every_setting_says_what_it_means():
    assert [one.name for one in reference().settings() if not one.meaning] == []


def test_a_prefix_chooses_settings_and_text_has_name_default_unit_and_meaning():
    text = as_text("scoring.max_days")
    assert text.startswith("scoring.max_days_behind = 7 [days]\n    How far before the run date")
    assert text.endswith("Values: whole number > 0 or null.")
    assert as_text("no.such") == ""
