"""Arithmetic on weights: pure functions first, a value with operators second, files third.

Names are imported when used: files are merged along a line without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contents import lazy

_WHERE = {
    "check_alpha": "alpha",
    "audit": "audit",
    "require_compatible": "audit",
    "greedy_soup": "combine",
    "model_stock": "combine",
    "stock_ratios": "combine",
    "task_arithmetic": "combine",
    "uniform_soup": "combine",
    "layer_depths": "depths",
    "merge_files": "files",
    "read_safetensors": "files",
    "write_safetensors": "files",
    "fingerprint": "fingerprint",
    "fisher_merge": "fisher",
    "lines": "lines",
    "Accuracy": "merging",
    "Merged": "merging",
    "merge": "merging",
    "add": "ops",
    "difference": "ops",
    "lerp": "ops",
    "mean": "ops",
    "weighted_mean": "ops",
    "MERGE_METHODS": "rules",
    "make_rule": "rules",
    "FisherRule": "rules",
    "Lerp": "rules",
    "LinesRule": "rules",
    "Mean": "rules",
    "ModelStockRule": "rules",
    "Rule": "rules",
    "TaskArithmetic": "rules",
    "Ties": "rules",
    "TensorFile": "tensor_file",
    "open_tensors": "tensor_file",
    "ties": "ties",
    "Virtual": "virtual",
    "is_virtual": "virtual",
    "materialise": "virtual",
    "read_virtual": "virtual",
    "write_virtual": "virtual",
    "Weights": "weights",
}

__all__ = sorted(_WHERE)

if TYPE_CHECKING:
    from .alpha import check_alpha as check_alpha
    from .audit import audit as audit
    from .audit import require_compatible as require_compatible
    from .combine import greedy_soup as greedy_soup
    from .combine import model_stock as model_stock
    from .combine import stock_ratios as stock_ratios
    from .combine import task_arithmetic as task_arithmetic
    from .combine import uniform_soup as uniform_soup
    from .depths import layer_depths as layer_depths
    from .files import merge_files as merge_files
    from .files import read_safetensors as read_safetensors
    from .files import write_safetensors as write_safetensors
    from .fingerprint import fingerprint as fingerprint
    from .fisher import fisher_merge as fisher_merge
    from .lines import lines as lines
    from .merging import Accuracy as Accuracy
    from .merging import Merged as Merged
    from .merging import merge as merge
    from .ops import add as add
    from .ops import difference as difference
    from .ops import lerp as lerp
    from .ops import mean as mean
    from .ops import weighted_mean as weighted_mean
    from .rules import MERGE_METHODS as MERGE_METHODS
    from .rules import FisherRule as FisherRule
    from .rules import Lerp as Lerp
    from .rules import LinesRule as LinesRule
    from .rules import Mean as Mean
    from .rules import ModelStockRule as ModelStockRule
    from .rules import Rule as Rule
    from .rules import TaskArithmetic as TaskArithmetic
    from .rules import Ties as Ties
    from .rules import make_rule as make_rule
    from .tensor_file import TensorFile as TensorFile
    from .tensor_file import open_tensors as open_tensors
    from .ties import ties as ties
    from .virtual import Virtual as Virtual
    from .virtual import is_virtual as is_virtual
    from .virtual import materialise as materialise
    from .virtual import read_virtual as read_virtual
    from .virtual import write_virtual as write_virtual
    from .weights import Weights as Weights

__getattr__ = lazy(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
