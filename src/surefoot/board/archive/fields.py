"""Reading the archive's records without trusting them: types, addresses, dates, spam."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..store.rows import Json

__all__ = [
    "Json",
    "Rejected",
    "as_flag",
    "as_list",
    "as_record",
    "as_storable",
    "as_text",
    "as_web_address",
    "as_year",
    "is_date",
    "looks_like_spam",
    "rest_of",
]

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_PHONE = re.compile(r"(?<![\d.])(?:\+?1\W{0,4})?\(?[2-9]\d{2}\)?\W{0,4}\d{3}\W{0,4}\d{4}(?![\d.])")
_TELEPHONES = re.compile("[\u260e\u260f\u2706\U0001f4de\U0001f4f1]")
_LONGEST = 2_000_000


class Rejected(Exception):
    """A record cannot be taken in; the text says why and goes into quarantine."""


def as_record(record: Any, what: str) -> Json:
    """A JSON object.

    Raises:
        Rejected: It is something else.
    """
    found: Json = _expect(record, Mapping, what, "an object")
    return found


def as_text(record: Json, name: str, *, required: bool = False) -> str:
    """A text field; "" where it is missing or null.

    Raises:
        Rejected: Another type, or blank where it is required.
    """
    value: str = _expect(_or(record.get(name), ""), str, name, "text")
    if len(value) > _LONGEST:
        raise Rejected(f"{name} is longer than {_LONGEST} characters")
    if required and not value.strip():
        raise Rejected(f"{name} is missing")
    return value


def as_storable(record: Json) -> Json:
    """A record that can be written as JSON and UTF-8: decimal numbers as floats.

    Raises:
        Rejected: It holds half of a surrogate pair, or a number beyond every float.
    """
    plain: Json = _plain(record)
    try:
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise Rejected("half of a surrogate pair, which is no character") from error
    except ValueError as error:
        raise Rejected("a number that is too large") from error
    return plain


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {k: _plain(v) for k, v in data.items()}
    if isinstance(data, list):
        return [_plain(v) for v in data]
    return float(data) if isinstance(data, Decimal) else data


def as_list(record: Json, name: str) -> list[Any]:
    """A list field; [] where it is missing or null.

    Raises:
        Rejected: Another type.
    """
    found: list[Any] = _expect(_or(record.get(name), []), list, name, "a list")
    return found


def as_flag(record: Json, name: str) -> bool | None:
    """True, false, or None for null and missing: unknown.

    Raises:
        Rejected: Another type.
    """
    found: bool | None = _expect(record.get(name), bool | None, name, "true, false or null")
    return found


def as_year(record: Json, name: str) -> int | None:
    """A year, as a number or in digits; None where it is missing or something else."""
    value = record.get(name)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    good = isinstance(value, int) and not isinstance(value, bool) and 1000 <= value <= 9999
    return value if good else None


def as_web_address(record: Json, name: str, *, required: bool = False) -> str:
    """An http(s) address; "" where it is missing.

    Raises:
        Rejected: Another scheme (``javascript:``), or none; or missing where it is required.
    """
    value = as_text(record, name, required=required).strip()
    if value and not value.lower().startswith(("http://", "https://")):
        raise Rejected(f"{name} is no web address")
    return value


def is_date(text: str) -> bool:
    """Whether a text is an ISO date, or the year or month of one."""
    return _DATE.fullmatch(text) is not None


def looks_like_spam(*texts: str) -> str:
    """Why a name is taken for spam; "" where it is not. The archive's methods are full of it."""
    for text in texts:
        if _TELEPHONES.search(text):
            return "spam: a telephone in its name"
        if _PHONE.search(text):
            return "spam: a telephone number in its name"
    return ""


def rest_of(record: Json, *taken: str) -> dict[str, Any]:
    """What a record holds beyond the fields that have columns, without nulls."""
    return {k: v for k, v in record.items() if k not in taken and v is not None}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _expect(value: Any, kind: Any, what: str, words: str) -> Any:
    """A value of the right type.

    Raises:
        Rejected: It is of another.
    """
    if not isinstance(value, kind):
        raise Rejected(f"{what} is {_kind(value)}, not {words}")
    return value


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number",
             Decimal: "a number", list: "a list", dict: "an object"}  # fmt: skip
    return "null" if value is None else names.get(type(value), type(value).__name__)
