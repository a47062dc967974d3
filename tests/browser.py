"""Headless Chromium for the tests that look at pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


def chromium(what: str) -> Iterator[Any]:
    """A browser; skips where there is none, unless CI says that there must be one.

    Args:
        what: Was not looked at, for the message: "the board".
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        message = f"no Chromium and playwright found: {what} was not looked at"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as player:
        window = player.chromium.launch(executable_path=found, args=flags)
        yield window
        window.close()
