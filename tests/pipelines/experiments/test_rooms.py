import pytest
from imports import own_imports, sources

IMPORTS = own_imports(sources())
ROOM = "pipelines.experiments."
PAGES = "pipelines.rendering"  # every report's, and without Spark
BELOW = {"plan": ("plan",), "run": ("plan", "run"), "report": ("plan", "report")}


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_the_library_and_the_rooms_below_it_alone(room):
    # so none of them reaches Spark, which the library does not import
    allowed = ("optdist", PAGES, *(ROOM + name for name in BELOW[room]))
    wrong = {
        module: [
            one for one in imports if not f"{one}.".startswith(tuple(f"{a}." for a in allowed))
        ]
        for module, imports in IMPORTS.items()
        if module.startswith(ROOM + room)
    }
    assert wrong and not any(wrong.values()), wrong
    assert not [one for one in IMPORTS[PAGES] if one.startswith("pipelines")]
