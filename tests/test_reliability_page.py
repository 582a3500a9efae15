from reliability_page import FAULTS, PAGE, SECTIONS


def test_the_page_has_every_fault_once_and_no_other():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    faults = [line.split(" | ")[0].removeprefix("| ") for line in rows]
    assert [fault for fault in faults if fault != "Fault"] == list(FAULTS.values())
    assert len(set(FAULTS.values())) == len(FAULTS) == sum(map(len, SECTIONS.values()))
