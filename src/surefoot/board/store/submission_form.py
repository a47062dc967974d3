"""The form of a submission, and what it checks by itself; the board's own checks are in submit.

The server describes it in its OpenAPI document, the command line prints it as a template.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from .results import ExtraData
from .values import parse_value

__all__ = ["SubmissionForm", "template"]

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class SubmissionForm(BaseModel):
    """One result for the board. It is shown as *submitted* until somebody runs it again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Name = Field(description="A task of the board, such as Image Classification")
    dataset: Name = Field(
        title="Data set", description="A data set of the board, such as ObjectNet"
    )
    split: Line = Field("test", description="Which part of the data set")
    protocol: Line = Field(
        "unspecified",
        description="As the board's page says it, if it is yours; without one it stands apart",
    )
    metric: Name = Field(description="As the board spells it, such as Top-1 Accuracy")
    value: Name = Field(description="As your paper prints it, such as 72.1")
    model_name: Name = Field(description="What the table shows")
    backbone: Line = Field("", description="Such as CLIP ViT-B/16")
    method: Line = Field("", description="A method of the board, if one fits")
    setting: Line = Field("", description="What else tells it apart, such as end to end")
    paper_title: Line = ""
    paper_url: Address = Field("", title="Paper address")
    paper_date: Line = Field("", description="YYYY-MM-DD")
    code_url: Address = Field("", title="Code address")
    extra_data: ExtraData = Field(
        "unknown", title="Extra training data", description="yes, no or unknown"
    )
    n: int | None = Field(
        None, ge=1, lt=2**62, title="Images", description="Images that it was computed on"
    )
    low: float | None = Field(
        None, allow_inf_nan=False, title="Lower end", description="Of the 95 % interval"
    )
    high: float | None = Field(
        None, allow_inf_nan=False, title="Upper end", description="Of the 95 % interval"
    )
    recipe: str = Field("", max_length=20_000, description="A surefoot recipe that repeats it")
    run_method: Line = Field(
        "",
        title="Method of the score",
        description="Which of the recipe's scores: its method",
    )
    run_split: Line = Field(
        "",
        title="Split of the score",
        description="Which of the recipe's scores: its split; empty: the split above",
    )
    run_selection: Line = Field(
        "end",
        title="Choice of α of the score",
        description="How alpha was chosen: end (the tuned model itself), fixed, id_val, ...",
    )
    note: str = Field("", max_length=5_000)

    @field_validator("*", mode="before")
    @classmethod
    def _no_controls(cls, value: Any) -> Any:
        if isinstance(value, str) and re.search(
            r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", value
        ):
            raise ValueError("holds control characters")
        return value

    @field_validator("paper_url", "code_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not re.match(r"https?://[^\s/]", value, re.IGNORECASE):
            raise ValueError("is no web address: it must begin with http:// or https://")
        return value

    @field_validator("paper_date")
    @classmethod
    def _date(cls, value: str) -> str:
        if value:
            try:
                date.fromisoformat(value)
            except ValueError as error:
                raise ValueError("is no date: write YYYY-MM-DD") from error
        return value

    @field_validator("value")
    @classmethod
    def _number(cls, value: str) -> str:
        parsed = parse_value(value)
        if parsed.value is None:
            raise ValueError(f"cannot be read as one number: {parsed.reason}")
        return value


def template() -> str:
    """A form to fill in, as JSON."""
    fields = SubmissionForm.model_fields
    example = {
        k: f.get_default() if not f.is_required() else f"<{f.description}>"
        for k, f in fields.items()
    }
    return json.dumps(example, indent=1, ensure_ascii=False) + "\n"
