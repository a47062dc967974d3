"""The base of the unpicklers that run a stranger's pickle with next to nothing to call."""

from __future__ import annotations

import pickle
from abc import abstractmethod
from typing import Any, ClassVar

from .errors import UnsafePickle

__all__ = ["RestrictedUnpickler"]


class RestrictedUnpickler(pickle.Unpickler):
    """A pickle is a program; this runs it with what a subclass lists, and refuses the rest.

    Attributes:
        holds: What such a pickle may hold, for the message.
        fix: What to do about one that wants more.
    """

    holds: ClassVar[str]
    fix: ClassVar[str]

    @abstractmethod
    def stands_for(self, module: str, name: str) -> Any:
        """What a global is replaced by; None refuses it.

        Args:
            module: As Python 3 calls it.
            name: Of the class or function in it.
        """

    def find_class(self, module: str, name: str) -> Any:
        """What a GLOBAL of the pickle stands for.

        Raises:
            UnsafePickle: One that is not listed.
        """
        module = "builtins" if module == "__builtin__" else module  # as Python 2 called it
        found = self.stands_for(module, name)
        if found is None:
            raise self.refusal(f"{module}.{name}", "use")
        return found

    @classmethod
    def refusal(cls, name: str, does: str) -> UnsafePickle:
        """The error for a pickle that wants to do something with a name that is not listed."""
        return UnsafePickle(
            f"the pickle wants to {does} {name}, which is none of {cls.holds}",
            expected=cls.holds,
            fix=cls.fix,
        )
