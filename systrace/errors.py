"""Everything systrace refuses, each with the exit status it ends with.

A message is one or two lines: what is wrong, and the next step. It is caught once, in
``systrace.cli``, and printed to standard error after ``systrace: ``.
"""


class SystraceError(Exception):
    """systrace itself failed or was misused; the target was not at fault."""

    exit_status = 125


class UsageError(SystraceError):
    """The command line asks for something that does not exist or does not go together."""


class PrivilegeError(SystraceError):
    """The caller may not load BPF programs or trace another process."""


class UnsupportedError(SystraceError):
    """This machine lacks something that is needed: BPF in the kernel, BTF, bcc, an architecture."""


class OutputError(SystraceError):
    """A report could not be written; raised before the target starts wherever that is possible."""


class NotExecutableError(SystraceError):
    """The command exists and cannot be run."""

    exit_status = 126


class NotFoundError(SystraceError):
    """There is no such command."""

    exit_status = 127


class TargetTimeoutError(SystraceError, TimeoutError):
    """The target took longer than it was given, and was killed."""


class InputError(SystraceError):
    """A saved report cannot be read, or is not one."""

    exit_status = 2


class CommandFailedError(SystraceError):
    """A command of a comparison ended with a failure, so its counts say nothing."""

    exit_status = 2
