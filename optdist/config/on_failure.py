"""Settings of what is told when a job fails."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from optdist.config.section import Section


class OnFailureConfig(Section):
    """Who is told of a job that fails: a command or a URL gets the result as JSON."""

    command: list[str] = Field(
        default=[],
        description="A program and its arguments, run without a shell; it gets the result on stdin",
    )
    url: str | None = Field(
        default=None,
        description="An address of http or https that gets the result by POST; write one that "
        "holds a key as ${env:NAME}",
    )
    headers: dict[str, str] = Field(
        default={}, description="Headers of the POST, such as Authorization: ${env:NAME}"
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        default=20, description="How long the command or the server may take [seconds]"
    )

    @field_validator("url")
    @classmethod
    def _is_of_the_web(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("the address must begin with http:// or https://")
        return url
