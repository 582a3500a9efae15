from quality_page import ODD, PAGE, SECTIONS


def test_the_page_has_every_quirk_once_and_no_other():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    quirks = [line.split(" | ")[0].removeprefix("| ") for line in rows]
    assert [quirk for quirk in quirks if quirk != "Quirk"] == list(ODD.values())
    assert len(set(ODD.values())) == len(ODD) == sum(map(len, SECTIONS.values()))
