"""What a run ran on: versions, machine, command."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from .. import processes

__all__ = ["environment"]

_PACKAGES = (
    "surefoot",
    "torch",
    "torchvision",
    "timm",
    "open_clip_torch",
    "transformers",
    "accelerate",
    "scikit-learn",
    "numpy",
    "pillow",
)


def environment(command: str = "") -> dict[str, Any]:
    """Versions, machine and command, for env.json; no host name, no user name.

    Args:
        command: As the user typed it.
    """
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "processes": processes.world(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": versions,
        "command": command or " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
    }
