"""systrace started by an ordinary user who has some capabilities, and nothing else of root's."""

import pwd
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .tracing import EXAMPLES

USER, OTHER = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
ENOUGH = ("bpf", "perfmon", "sys_ptrace", "checkpoint_restore")
# Debian's kernels keep perf events from whoever has CAP_PERFMON only
RESTRICTED = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) > 2
WITH_BREAKPOINTS = (*ENOUGH, "sys_admin") if RESTRICTED else ENOUGH


def with_capabilities(*names: str, besides: Sequence[str] = ()) -> tuple[str, ...]:
    """Words before a command: it runs as USER, with these in its ambient set.

    ``besides`` are more options of setpriv.
    """
    held = ",".join(("-all", *(f"+{name}" for name in names)))
    ids = (f"--reuid={USER.pw_uid}", f"--regid={USER.pw_gid}", "--clear-groups")
    setpriv = ("setpriv", *ids, f"--inh-caps={held}", f"--ambient-caps={held}", *besides)
    return (*_reachable(), *setpriv)


def _reachable() -> tuple[str, ...]:
    """Words before setpriv: a view of the machine where what we test is anybody's to read.

    A Python in a directory of root's (pyenv in /root) is of no use to an ordinary user: there,
    in a mount namespace of the command's own, another directory lies over that one.
    """
    paths = sorted({sys.prefix, sys.base_prefix, str(EXAMPLES)})
    hidden = [path for path in paths if next(_closed(path), None)]
    if not hidden:
        return ()
    number = {path: 3 + index for index, path in enumerate(hidden)}
    lines = [f"exec {fd}<{shlex.quote(path)}" for path, fd in number.items()]
    lines += [
        f"mount -t tmpfs -o mode=755 none {shlex.quote(directory)}"
        for directory in sorted({str(next(_closed(path))) for path in hidden})
    ]
    for path, fd in number.items():
        place = shlex.quote(path)
        # -c: by the descriptor, not by the path that it had
        lines.append(f"mkdir -p {place} && mount -c --bind /proc/self/fd/{fd} {place}")
        lines.append(f"exec {fd}<&-")
    return ("unshare", "-m", "sh", "-ec", "\n".join([*lines, 'exec "$@"']), "sh")


def _closed(path: str) -> Iterator[Path]:
    """The directories above a path that keep others out, the topmost first."""
    for directory in reversed(Path(path).parents):
        if not directory.stat().st_mode & stat.S_IXOTH:
            yield directory
