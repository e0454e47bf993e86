"""Calls that a program makes because of how its threads happened to run, not of what it does.

Runtimes (Go, the JVM, V8) and libc make them for threads, timers, memory and signals between
threads, more or fewer from run to run, some in a few runs of a hundred only: that ten reports agree
in them proves little. Measured: see the heading on budgets in README.md.
"""

from typing import Final

# Go's sysmon sleeps and yields, preempts by tgkill (getpid in front, rt_sigreturn behind), starts
# its network poller (epoll, and a pipe or an eventfd to wake it) when a timer first needs it, and
# returns memory by madvise. A thread more is clone and what it does first. It sets no handler for
# a signal that it was started with ignored: two rt_sigaction fewer after nohup, or behind &.
SYSTEM_CALLS: Final = frozenset(
    {
        "brk",
        "clock_nanosleep",
        "clone",
        "clone3",
        "epoll_create1",
        "epoll_ctl",
        "epoll_pwait",
        "epoll_pwait2",
        "epoll_wait",
        "eventfd2",
        "exit",
        "futex",
        "futex_wait",
        "futex_waitv",
        "futex_wake",
        "getpid",
        "gettid",
        "madvise",
        "membarrier",
        "mmap",
        "mprotect",
        "mremap",
        "munmap",
        "nanosleep",
        "pipe2",
        "prctl",
        "restart_syscall",
        "rseq",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
        "sched_getaffinity",
        "sched_yield",
        "set_robust_list",
        "sigaltstack",
        "tgkill",
        "tkill",
    }
)

# Schedulers and collectors read the clock.
VDSO_CALLS: Final = frozenset({"clock_gettime", "gettimeofday", "time"})

# An event loop is woken through a pipe or an eventfd: a write and a read now and then, which are
# the program's own calls in a program without one.
POLLERS: Final = frozenset({"epoll_create", "epoll_create1"})
WAKE_UPS: Final = frozenset({"read", "write"})
