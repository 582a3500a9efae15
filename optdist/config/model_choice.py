"""Chooses the settings section of the model that `model.name` names, and checks it.

`model.name` is a short name from `SECTIONS`, or `package.module:Class`: that class is imported
and its `config_class` is the section. Importing this module does not start TensorFlow; naming a
model from outside does.

A setting that the chosen model does not read is refused. A data set's file or an experiment that
gives sizes for several models therefore gives them under `model_defaults`: each model takes the
settings that it reads from there, and settings under `model` win. A name there that no model reads
is refused as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, GetJsonSchemaHandler, SerializeAsAny, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from optdist.config.models import SECTIONS, ModelConfig
from optdist.errors import ConfigError
from optdist.plugins import named_class

DEFAULT_MODEL = "optdist"


def section_class(name: str) -> type[ModelConfig]:
    """The section's class of the model that `name` names.

    Raises:
        ConfigError: there is no such model, it cannot be imported, or it has no section.
    """
    if name in SECTIONS:
        return SECTIONS[name]
    section = getattr(named_class("model.name", name, SECTIONS), "config_class", None)
    if not (isinstance(section, type) and issubclass(section, ModelConfig)):
        raise ConfigError(
            f"`model.name` names {name!r}, which is not a model: it needs an attribute "
            f"`config_class`, a subclass of optdist.config.ModelConfig with its settings."
        )
    return section


def model_section(settings: Any) -> Any:
    """Check a model's settings by the section of the model that they name.

    Args:
        settings: a mapping as it stands under `model:`, or a section, which is returned as it is.

    Raises:
        ValidationError: listing every unknown setting and wrong value.
    """
    if not isinstance(settings, Mapping):
        return settings
    named = {"name": DEFAULT_MODEL} | dict(settings)
    try:
        section = section_class(str(named["name"]))
    except ConfigError as error:
        raise _invalid(str(error), settings) from error
    try:
        return section.model_validate(named)
    except ValidationError as error:
        details = [_explained(problem, str(named["name"])) for problem in error.errors()]
        raise ValidationError.from_exception_data(section.__name__, details) from None


class _ListsEveryModel:
    """Describes the section as one of those in `SECTIONS` where settings are listed."""

    @staticmethod
    def __get_pydantic_json_schema__(
        schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        variants = []
        for name, section in SECTIONS.items():
            variants.append(handler(section.__pydantic_core_schema__))
            properties = handler.resolve_ref_schema(variants[-1])["properties"]
            properties["name"] = {"const": name, **properties["name"]}
        return {"oneOf": variants}


AnyModelConfig = Annotated[
    SerializeAsAny[ModelConfig], BeforeValidator(model_section), _ListsEveryModel
]


def with_defaults(model: Any, defaults: Any) -> Any:
    """The settings under `model`, completed by those of `model_defaults` that the model reads."""
    if not (isinstance(model, Mapping) and isinstance(defaults, Mapping)):
        return model
    try:
        section = section_class(str(model.get("name", DEFAULT_MODEL)))
    except ConfigError:
        return model  # `model_section` reports it
    taken = {k: v for k, v in defaults.items() if k in section.model_fields and k != "name"}
    return taken | dict(model)


def readers(setting: str) -> list[str]:
    """The names of the models of this package that read a setting."""
    return [name for name, section in SECTIONS.items() if setting in section.model_fields]


def _explained(problem: Any, model: str) -> InitErrorDetails:
    """Pydantic's problem; for a setting of another model, with what to do."""
    place, value = problem["loc"], problem["input"]
    if problem["type"] == "extra_forbidden" and len(place) == 1:
        text = _why_refused(str(place[0]), value, model)
        if text:
            return InitErrorDetails(type=_custom(text), loc=place, input=value)
    context = problem.get("ctx", {})
    return InitErrorDetails(type=problem["type"], loc=place, input=value, ctx=context)


def _why_refused(setting: str, value: Any, model: str) -> str | None:
    if setting in SECTIONS and isinstance(value, Mapping):
        flat = ", ".join(f"model.{key}" for key in value)
        return (
            f"{setting} is no longer a subsection of model. Set model.name to {setting}, and write "
            f"{flat}"
        )
    others = readers(setting)
    if not others:
        return None
    return (
        f"{model} does not read this setting; it is one of {', '.join(others)}. Remove it, or put "
        f"it under model_defaults, which each model takes its own settings from"
    )


def _invalid(text: str, settings: Any) -> ValidationError:
    detail = InitErrorDetails(type=_custom(text), loc=(), input=settings)
    return ValidationError.from_exception_data("model", [detail])


def _custom(text: str) -> PydanticCustomError:
    return PydanticCustomError("model_setting", "{text}", {"text": text})
