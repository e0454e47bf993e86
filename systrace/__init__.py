"""systrace: which calls of a program enter ring 0, and which never leave ring 3.

From Python, for tests that assert on calls::

    report = systrace.run(["./goapp"])
    assert report.exit.code == 0
    assert report.count("openat") == 3

``run`` traces a command and returns a ``Report``; ``load`` reads one that was saved; ``compare``
holds two of them against each other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from systrace.comparison import Comparison as Comparison
    from systrace.diff import compare as compare
    from systrace.errors import InputError as InputError
    from systrace.errors import PrivilegeError as PrivilegeError
    from systrace.errors import SystraceError as SystraceError
    from systrace.errors import TargetTimeoutError as TargetTimeoutError
    from systrace.report import Report as Report
    from systrace.saved import load as load
    from systrace.traced import run as run

# A public name and where it lives, imported when it is first asked for. No module may have the
# name of a function here: importing it would put the module in the function's place.
_PUBLIC = {
    "run": "traced",
    "compare": "diff",
    "Comparison": "comparison",
    "load": "saved",
    "Report": "report",
    "SystraceError": "errors",
    "PrivilegeError": "errors",
    "TargetTimeoutError": "errors",
    "InputError": "errors",
}

__all__ = [
    "Comparison",
    "InputError",
    "PrivilegeError",
    "Report",
    "SystraceError",
    "TargetTimeoutError",
    "__version__",
    "compare",
    "load",
    "run",
]


if not TYPE_CHECKING:  # to which every name would be there

    def __getattr__(name: str) -> Any:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'systrace' has no attribute {name!r}")
        return getattr(import_module(f"systrace.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
