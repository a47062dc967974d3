"""The report: one self-contained page, and a table for the terminal. No torch here.

A report is made from a run's or study's stored rows and predictions alone, so it re-renders on
any machine::

    study = open_study("runs/demo")
    render(study)                        # runs/demo/report.html
    print(render_terminal(study, 100))
"""

from __future__ import annotations

from .page import BoardLink, render
from .terminal import render_terminal

__all__ = ["BoardLink", "render", "render_terminal"]
