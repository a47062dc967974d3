"""Every method, by the name of its class; ``surefoot.registry.METHODS`` has them by theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contents import lazy

_WHERE = {
    "BiasOnly": "partial",
    "EMA": "ema",
    "EncoderFineTune": "encoder_ft",
    "FiLM": "film",
    "FiLMAll": "film",
    "FineTune": "ft",
    "FisherWise": "fisher",
    "FLYP": "flyp",
    "FLYPCE": "flyp_ce",
    "GradualUnfreezing": "gradual",
    "GreedySoup": "greedy_soup",
    "HeadOnly": "head_only",
    "L2SP": "l2_sp",
    "LanguageSupervision": "language",
    "LastBlocks": "partial",
    "LinearProbe": "lp",
    "LiNeS": "lines",
    "LoRA": "lora",
    "LPFT": "lp_ft",
    "Method": "base",
    "ModelStock": "model_stock",
    "NormOnly": "partial",
    "OutputEnsemble": "output_ensemble",
    "Paint": "paint",
    "Scheduled": "base",
    "SideTuning": "side_tuning",
    "SWA": "swa",
    "TaskArithmetic": "task_arithmetic",
    "Ties": "ties",
    "TokenReplay": "token_replay",
    "UniformSoup": "uniform_soup",
    "WiseFT": "wise_ft",
    "ZeroShot": "zero_shot",
}

__all__ = sorted(_WHERE)

if TYPE_CHECKING:
    from .base import Method as Method
    from .base import Scheduled as Scheduled
    from .ema import EMA as EMA
    from .encoder_ft import EncoderFineTune as EncoderFineTune
    from .film import FiLM as FiLM
    from .film import FiLMAll as FiLMAll
    from .fisher import FisherWise as FisherWise
    from .flyp import FLYP as FLYP
    from .flyp_ce import FLYPCE as FLYPCE
    from .ft import FineTune as FineTune
    from .gradual import GradualUnfreezing as GradualUnfreezing
    from .greedy_soup import GreedySoup as GreedySoup
    from .head_only import HeadOnly as HeadOnly
    from .l2_sp import L2SP as L2SP
    from .language import LanguageSupervision as LanguageSupervision
    from .lines import LiNeS as LiNeS
    from .lora import LoRA as LoRA
    from .lp import LinearProbe as LinearProbe
    from .lp_ft import LPFT as LPFT
    from .model_stock import ModelStock as ModelStock
    from .output_ensemble import OutputEnsemble as OutputEnsemble
    from .paint import Paint as Paint
    from .partial import BiasOnly as BiasOnly
    from .partial import LastBlocks as LastBlocks
    from .partial import NormOnly as NormOnly
    from .side_tuning import SideTuning as SideTuning
    from .swa import SWA as SWA
    from .task_arithmetic import TaskArithmetic as TaskArithmetic
    from .ties import Ties as Ties
    from .token_replay import TokenReplay as TokenReplay
    from .uniform_soup import UniformSoup as UniformSoup
    from .wise_ft import WiseFT as WiseFT
    from .zero_shot import ZeroShot as ZeroShot

__getattr__ = lazy(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
