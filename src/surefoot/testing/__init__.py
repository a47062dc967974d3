"""Checks for authors of methods, models, data, shifts, evaluators: those that surefoot's own pass.

Call them from a test. Each raises ``AssertionError`` with a sentence that says what was broken::

    from surefoot.testing import check_method

    def test_my_method():
        check_method(MyMethod(schedule=Schedule(epochs=1, batch_size=8)))
"""

from __future__ import annotations

from .data import check_shift, check_source
from .evals import check_eval
from .methods import Checked, check_method
from .miniature import make_miniature
from .models import check_model
from .samples import small_clip, small_task, small_vit

__all__ = [
    "Checked",
    "check_eval",
    "check_method",
    "check_model",
    "check_shift",
    "check_source",
    "make_miniature",
    "small_clip",
    "small_task",
    "small_vit",
]
