"""A virtual environment with the lowest versions that pyproject.toml allows: check.py --lowest.

It lies in the folder for temporary files, outside the checkout, and is used again by the next run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:  # comes with pytest
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


def requirements() -> list[str]:
    """Every requirement of the package and of its extras, as it is written, by name."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    lines = {line for group in groups for line in group}
    named = sorted((Requirement(line).name, line) for line in lines)
    return [line for name, line in named if name != project["name"]]


def constraints() -> list[str]:
    """``name==bound`` for each requirement that holds for this Python.

    Exactly the bounds, not the lowest that a resolver finds: a bound that the other libraries
    rule out is one that nothing tests, and the installation fails.
    """
    pins = []
    for line in requirements():
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate():
            bound = next(s.version for s in wanted.specifier if s.operator == ">=")
            pins.append(f"{wanted.name}=={bound}")
    return pins


def prepare() -> str:
    """Make or renew the environment, print its versions, and return its Python.

    Raises:
        subprocess.CalledProcessError: The lower bounds cannot be installed together.
    """
    version = ".".join(map(str, sys.version_info[:2]))
    folder = Path(tempfile.gettempdir()) / f"surefoot-lowest-{version}"
    builder = venv.EnvBuilder(with_pip=True)
    if not (folder / "pyvenv.cfg").is_file():
        builder.create(folder)
    python = str(builder.ensure_directories(folder).env_exe)
    pins = folder / "lowest.txt"
    pins.write_text("\n".join(constraints()), encoding="utf-8")
    print(pins.read_text(encoding="utf-8"), flush=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--editable", ".[test]"]
    subprocess.run([*pip, "--constraint", str(pins)], cwd=ROOT, check=True)
    return python
