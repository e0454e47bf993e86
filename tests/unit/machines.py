"""A machine on which everything works, to take one thing away from."""

import errno
from dataclasses import replace

from systrace.doctor import bcc, clock, kept, kernel, limits, probing, rights
from systrace.doctor.examine import Facts
from systrace.doctor.findings import Costs
from systrace.report import Machine

FUNCTIONS = ("gettimeofday", "time", "clock_gettime", "clock_getres", "getcpu", "getrandom")
TRACEPOINTS = ("task_newtask", "sched_process_exit", "sys_exit", "sys_enter", kernel.OPTIONAL)

RIGHTS = rights.Facts(refusal="", uid=0, ptrace_scope=1, seccomp="0")
KERNEL = kernel.Facts(
    release="6.18.44",
    arch="x86_64",
    bpf_errno=0,
    lockdown="none",
    btf_bytes=5_515_236,
    btf_refusal="",
    libbpf=True,
    tracepoints=dict.fromkeys(TRACEPOINTS, 0),
)
LIMITS = limits.Facts(cgroup=None, memlock=8 << 20, version=(6, 18))
BCC = bcc.Facts("/usr/lib/python3/dist-packages/bcc", "0.26.0", "", "")
KEPT = kept.Facts("/var/cache/systrace", "")
CLOCK = clock.Facts("tsc", ("tsc", "hpet"), functions=dict.fromkeys(FUNCTIONS, ""))
PROBING = probing.Facts(slots=4, slots_errno=0, uprobes=True)
GOOD = Facts(
    machine=Machine("6.18.44", "x86_64", 2, "tsc"),
    rights=RIGHTS,
    kernel=KERNEL,
    limits=LIMITS,
    bcc=BCC,
    kept=KEPT,
    clock=CLOCK,
    probing=PROBING,
    costs=Costs(23.4, 164.0, 8710.0),
)
NO_BPF = replace(KERNEL, bpf_errno=errno.ENOSYS, tracepoints={})
