"""Which file a command name means, looked for as execvp(3) would, by the user who will run it."""

import errno
import os
import stat

from systrace import launcher
from systrace.errors import NotExecutableError, NotFoundError
from systrace.target.user import Identity, acting_as

# What execvp(3) of glibc searches without a PATH: confstr(_CS_PATH).
_DEFAULT_PATH = "/bin:/usr/bin"


def find(command: str, path: str | None, identity: Identity | None) -> str:
    """Find the file to execute, relative where ``command`` or the entry of ``path`` is.

    ``path`` is the PATH of the target's environment, None where that has none. Access is checked
    as ``identity``, None being ourselves. Raises NotFoundError, NotExecutableError.
    """
    if not command:
        raise NotFoundError("the command's name is empty")
    with acting_as(identity):
        if "/" in command:
            return _take(command, identity)
        return _search(command, _DEFAULT_PATH if path is None else path, identity)


def _take(file: str, identity: Identity | None) -> str:
    error = _refusal(file)
    if error == 0:
        return file
    if error in (errno.EACCES, errno.EISDIR, errno.EPERM):
        raise NotExecutableError(f"cannot run {_spelled(file)}: {_reason(file, error, identity)}")
    raise NotFoundError(f"cannot run {_spelled(file)}: {os.strerror(error)}")


def _search(name: str, path: str, identity: Identity | None) -> str:
    denied = None
    for directory in path.split(":"):
        file = f"{directory or '.'}/{name}"
        error = _refusal(file)
        if error == 0:
            return file
        # A directory that may not be searched says nothing about what is in it.
        if error == errno.EACCES and denied is None and _mode(file) is not None:
            denied = file
    if denied is not None:
        reason = _reason(denied, errno.EACCES, identity)
        raise NotExecutableError(f"cannot run {_spelled(denied)}: {reason}")
    raise NotFoundError(_not_found(name, path))


def _mode(file: str) -> int | None:
    try:
        return os.stat(file).st_mode  # noqa: PTH116  Path would drop a trailing slash
    except OSError:
        return None


def _refusal(file: str) -> int:
    """Foretell the errno of execve(2), as far as it is about access; 0 for none."""
    try:
        mode = os.stat(file).st_mode  # noqa: PTH116  Path would drop a trailing slash
    except OSError as error:
        return error.errno or errno.ENOENT
    if stat.S_ISDIR(mode):
        return errno.EISDIR
    if not stat.S_ISREG(mode) or not os.access(file, os.X_OK, effective_ids=True):
        return errno.EACCES
    return 0


def _reason(file: str, error: int, identity: Identity | None) -> str:
    if error == errno.EISDIR:
        return "it is a directory"
    mode = _mode(file)
    if mode is not None and not stat.S_ISREG(mode):
        return "it is not a regular file"
    if mode is not None and not mode & 0o111:
        return f"it is not executable (chmod +x {_spelled(file)})"
    if identity is not None and identity.uid != 0:
        return f"permission denied for {identity.name} (--user root runs it as root)"
    return "permission denied"


def _not_found(name: str, path: str) -> str:
    if _refusal(f"./{name}") == 0:
        return f"command not found: {_spelled(name)}; did you mean {_spelled('./' + name)}?"
    if "SUDO_UID" in os.environ:
        return (
            f"command not found: {_spelled(name)} is not in sudo's PATH ({path}); "
            'sudo env "PATH=$PATH" … keeps yours'
        )
    return f"command not found: {_spelled(name)}"


def _spelled(file: str) -> str:
    return launcher.quoted((file,))
