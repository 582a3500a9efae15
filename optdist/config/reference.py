"""Collects every setting's name, values, default and meaning from the settings' classes.

A description ends with its unit in brackets: "Passes over the training rows [epochs]".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]
_UNIT = re.compile(r"(?s)(.*\S)\s*\[([^\[\]]+)\]\.?")


@dataclass(frozen=True)
class Setting:
    """One setting of a configuration.

    Args:
        name: its keys joined by dots. NAME is a key that the user chooses, [] an item of a list.
        values: the allowed ones.
        default: as YAML; "required" where there is none.
        unit: the unit of a number; empty where it has none.
        meaning: its description.
        only_for: the variants of its section that have it, such as the models; empty: all.
    """

    name: str
    values: str
    default: str
    unit: str
    meaning: str
    only_for: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The section that it belongs to."""
        return self.name.split(".")[0]

    @property
    def title(self) -> str:
        """The meaning, after the variants that have the setting."""
        return f"{', '.join(self.only_for)}: {self.meaning}" if self.only_for else self.meaning


class Reference:
    """The settings below a section's class."""

    def __init__(self, section: type[BaseModel]) -> None:
        """Read the JSON schema of `section`, which pydantic makes of its fields."""
        self._schema = section.model_json_schema()
        self._internal = {name for name, f in section.model_fields.items() if f.exclude}

    def settings(self, prefix: str = "") -> list[Setting]:
        """Every setting whose name begins with `prefix`, in the order of the classes."""
        names = {k: v for k, v in self._schema["properties"].items() if k not in self._internal}
        whole = {**self._schema, "properties": names}
        return [one for one in self._below("", [whole]) if one.name.startswith(prefix)]

    def sections(self) -> dict[str, str]:
        """The sections, each with the first paragraph of its class."""
        return {
            name: self._text(inner)
            for name, inner in self._schema["properties"].items()
            if name not in self._internal
        }

    def keys_at(self, place: Sequence[str | int]) -> list[str]:
        """The keys that a section may have; empty if `place` is not one.

        Args:
            place: the keys that lead there. As in pydantic's errors, they may name a variant of a
                union, which is not a key in a file.
        """
        branches = self._branches(self._schema)
        for part in place:
            branches = self._step(branches, part)
        return sorted({name for branch in branches for name in branch.get("properties", {})})

    def without_variants(self, place: Sequence[str | int]) -> list[str | int]:
        """The keys of a place as a file has them, without the variants of pydantic's errors."""
        branches, keys = self._branches(self._schema), []
        for part in place:
            inner = any(self._inner(branch, part) for branch in branches)
            is_section = any("properties" in branch for branch in branches)
            if inner or (is_section and not self._variant(branches, part)):
                keys.append(part)
            branches = self._step(branches, part)
        return keys

    def _step(self, branches: list[Schema], part: str | int) -> list[Schema]:
        variant = self._variant(branches, part)
        if variant:
            return variant
        return [inner for branch in branches for inner in self._inner(branch, part)]

    def _variant(self, branches: list[Schema], part: str | int) -> list[Schema]:
        """The branch of a union that an error names by its tag or class; empty: `part` is a key."""
        if any(self._inner(branch, part) for branch in branches):
            return []
        return [b for b in branches if part in (b.get("title"), _tag(b))]

    def _inner(self, branch: Schema, part: str | int) -> list[Schema]:
        if isinstance(part, int):
            item = branch.get("items") or next(iter(branch.get("prefixItems", [])), None)
            return self._branches(item) if item else []
        inner = branch.get("properties", {}).get(part) or _value_schema(branch)
        return self._branches(inner) if inner else []

    def _branches(self, schema: Schema) -> list[Schema]:
        """A schema without references: its alternatives, or itself."""
        if "$ref" in schema:
            schema = self._schema["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        parts = schema.get("anyOf") or schema.get("oneOf")
        return [b for part in parts for b in self._branches(part)] if parts else [schema]

    def _text(self, schema: Schema) -> str:
        """A field's description; of a section without one, the first paragraph of its class."""
        texts = [schema, *self._branches(schema)]
        text: str = next((t["description"] for t in texts if "description" in t), "")
        return " ".join(text.split("\n\n")[0].split())

    def _below(self, place: str, variants: list[Schema]) -> Iterator[Setting]:
        """The settings of a section; of a union, each one once, with the variants that have it."""
        owners: dict[Setting, list[str]] = {}
        for variant in variants:
            required = variant.get("required", [])
            for key, schema in variant["properties"].items():
                is_shared = all(key in variant["properties"] for variant in variants)
                if "const" in schema and is_shared and len(variants) > 1:  # it chooses the variant
                    schema = {**variants[0]["properties"][key], "enum": _tags(variants)}
                for one in self._of_field(f"{place}{key}", schema, key in required):
                    owners.setdefault(one, []).append(_tag(variant))
        for one, tags in owners.items():
            is_shared = len(tags) == len(variants)
            yield one if is_shared else replace(one, only_for=tuple(dict.fromkeys(tags)))

    def _of_field(self, name: str, schema: Schema, required: bool) -> Iterator[Setting]:
        branches = self._branches(schema)
        sections = [b for b in branches if "properties" in b]
        if len(sections) < len(branches) or not sections:
            yield self._setting(name, schema, branches, required)
        if sections:
            yield from self._below(f"{name}.", sections)
        for branch in branches:
            for suffix, inner in ((".NAME", _value_schema(branch)), ("[]", branch.get("items"))):
                nested = [b for b in self._branches(inner or {}) if "properties" in b]
                if nested:
                    yield from self._below(f"{name}{suffix}.", nested)

    def _setting(
        self, name: str, schema: Schema, branches: list[Schema], required: bool
    ) -> Setting:
        text = self._text(schema)
        match = _UNIT.fullmatch(text)
        return Setting(
            name=name,
            values=" or ".join(dict.fromkeys(self._values(branch) for branch in branches)),
            default="required" if required else _yaml(schema.get("default")),
            unit=match[2] if match else "",
            meaning=match[1] if match else text,
        )

    def _values(self, schema: Schema) -> str:
        """The values that one alternative of a setting allows."""
        if "enum" in schema or "const" in schema:
            return ", ".join(map(_yaml, schema.get("enum", [schema.get("const")])))
        if schema.get("type") == "array":
            items = schema.get("items") or schema.get("prefixItems", [{}])[0]
            inner = " or ".join(dict.fromkeys(map(self._values, self._branches(items))))
            count = schema.get("maxItems")
            return f"list of {f'{count} ' if count else ''}{inner}"
        if "properties" in schema:
            return "section"
        plain = {"integer": "whole number", "object": "mapping", "boolean": "true, false"}
        kind = schema.get("format") or schema.get("type", "value")
        return plain.get(kind, "text" if kind == "string" else kind) + _bounds(schema)


def _value_schema(schema: Schema) -> Schema | None:
    """The schema of a mapping's values."""
    additional = schema.get("additionalProperties")
    named = next(iter(schema.get("patternProperties", {}).values()), None)
    return additional if isinstance(additional, dict) else named


def _tag(section: Schema) -> str:
    """The name that tells one variant of a section from the others: its constant, or its class."""
    constants = [p["const"] for p in section.get("properties", {}).values() if "const" in p]
    tag: str = constants[0] if constants else section.get("title", "")
    return tag


def _tags(variants: Sequence[Schema]) -> list[str]:
    return list(dict.fromkeys(_tag(variant) for variant in variants))


def _bounds(schema: Schema) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return f" {' and '.join(bounds)}" if bounds else ""


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)
