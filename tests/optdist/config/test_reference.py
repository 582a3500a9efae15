from typing import Annotated, Literal

from pydantic import Field

from optdist.config.reference import Reference
from optdist.config.section import Positive, Section


class A(Section):
    name: Literal["a"] = "a"
    size: Positive = Field(3, description="Units of a layer [units]")
    rate: Annotated[float, Field(gt=0, le=1)] = Field(0.5, description="How fast")


class B(Section):
    name: Literal["b"] = "b"
    size: Positive = Field(3, description="Units of a layer [units]")
    rows: Literal["all", "some"] = Field("all", description="Which rows")


class Table(Section):
    path: str = Field(description="Where it is")


class Whole(Section):
    """All of it."""

    model: Annotated[A | B, Field(discriminator="name")] = A()
    tables: dict[str, Table] = Field({}, description="By name")
    hidden: int = Field(0, exclude=True)


SETTINGS = {one.name: one for one in Reference(Whole).settings()}


def test_a_setting_has_name_values_default_unit_and_meaning():
    size = SETTINGS["model.size"]
    assert (size.values, size.default, size.unit) == ("whole number > 0", "3", "units")
    assert size.meaning == "Units of a layer"
    assert SETTINGS["model.rate"].values == "number > 0 and <= 1"
    assert SETTINGS["model.rows"].values == "all, some"
    assert SETTINGS["tables.NAME.path"].default == "required"


def test_variants_of_a_section_share_what_they_have_in_common():
    assert [*SETTINGS] == [
        "model.name",
        "model.size",
        "model.rate",
        "model.rows",
        "tables",
        "tables.NAME.path",
    ]
    assert SETTINGS["model.name"].values == "a, b"
    assert SETTINGS["model.size"].only_for == ()
    assert SETTINGS["model.rate"].title == "a: How fast"
    assert SETTINGS["model.rows"].title == "b: Which rows"


def test_a_place_of_an_error_loses_the_variant_that_pydantic_adds():
    settings = Reference(Whole)
    assert settings.without_variants(("model", "b", "rowss")) == ["model", "rowss"]
    assert settings.keys_at(("model", "b")) == ["name", "rows", "size"]
    assert settings.without_variants(("tables", "b", "path")) == ["tables", "b", "path"]
    assert settings.keys_at(("tables", "main")) == ["path"]
    assert settings.keys_at(("nowhere",)) == []
