"""Four capabilities in place of root: what works with them, and what each further thing takes."""

import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .attaching import CALLS, attached, round_of
from .live import Live, started
from .ordinary import ENOUGH, OTHER, RESTRICTED, USER, WITH_BREAKPOINTS, with_capabilities
from .test_inheritance import status
from .tracing import HANGS_S, SYSTRACE, Traced, Tracer, example

FOUR = with_capabilities(*ENOUGH)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory of the user's that everybody may enter; pytest's are root's alone."""
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, USER.pw_uid, USER.pw_gid)
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def trace(public: Path) -> Tracer:
    return Tracer(public)


def counts(traced: Traced) -> dict[tuple[str, str, str], int]:
    assert traced.process.returncode == 0, traced.process
    return {key: row["count"] for key, row in traced.rows.items()}


@pytest.mark.exact
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--vdso", "patch"),
        ("--vdso", "breakpoint"),
        ("--vdso", "off"),
        ("--without-vdso",),
        ("-P", "--wait-all"),
        ("--follow=signal", "--counts-only"),
    ],
    ids=" ".join,
)
def test_with_four_capabilities_every_mode_counts_what_root_counts(
    trace: Tracer, options: tuple[str, ...]
) -> None:
    program = example("vdso_all")
    roots = trace(program, options=(*options, "-u", USER.pw_name), cwd="/")
    enough = WITH_BREAKPOINTS if "breakpoint" in options else ENOUGH
    users = trace(program, options=options, prefix=with_capabilities(*enough), cwd="/")
    assert counts(users) == counts(roots)
    assert users.totals == roots.totals
    assert users.report["probes"] == roots.report["probes"]
    assert len(users.warnings) == len(roots.warnings)


@pytest.mark.parametrize("missing", ENOUGH)
def test_without_one_of_them_run_is_refused_by_its_name(missing: str) -> None:
    rest = [name for name in ENOUGH if name != missing]
    argv = [*with_capabilities(*rest), str(SYSTRACE), "run", "echo", "started"]
    done = subprocess.run(
        argv, capture_output=True, check=False, text=True, timeout=HANGS_S, cwd="/"
    )
    assert done.returncode == 125
    assert done.stdout == ""
    said, pasted = done.stderr.splitlines()
    assert said.startswith(f"systrace: lacks CAP_{missing.upper()}, to ")
    assert said.count("CAP_") == 1
    assert pasted == f'  sudo -E env "PATH=$PATH" {SYSTRACE} run echo started'


def test_a_uprobe_takes_cap_sys_admin_besides(trace: Tracer) -> None:
    argv = trace.argv("echo", "started", options=("--vdso", "uprobe"))
    done = subprocess.run(
        [*FOUR, *argv], capture_output=True, check=False, text=True, timeout=HANGS_S, cwd="/"
    )
    assert (done.returncode, done.stdout) == (125, "")
    assert len(done.stderr.splitlines()) == 2
    assert "it takes CAP_SYS_ADMIN" in done.stderr
    with_it = with_capabilities(*ENOUGH, "sys_admin")
    traced = trace(example("vdso_all"), options=("--vdso", "uprobe"), prefix=with_it, cwd="/")
    assert traced.count("clock_gettime", "vdso") == 10_007


def test_breakpoints_take_cap_sys_admin_besides_where_the_kernel_says_so(trace: Tracer) -> None:
    argv = trace.argv("true", options=("--vdso", "breakpoint"))
    done = subprocess.run([*FOUR, *argv], capture_output=True, check=False, text=True, cwd="/")
    assert done.returncode == (125 if RESTRICTED else 0)
    assert ("it takes CAP_SYS_ADMIN, for kernel.perf_event_paranoid" in done.stderr) == RESTRICTED
    assert len(done.stderr.splitlines()) <= 2


@pytest.fixture
def theirs(build: Callable[..., str], public: Path) -> Iterator[Live]:
    """A program of somebody else's, as ``target``."""
    program = str(shutil.copy(build("on_signal"), public))
    ids = (f"--reuid={OTHER.pw_uid}", f"--regid={OTHER.pw_gid}", "--clear-groups")
    with started("setpriv", *ids, program, cwd="/") as live:
        assert live.line() == "ready"
        yield live


def observed(trace: Tracer, live: Live, mode: str, *names: str) -> Traced:
    prefix = with_capabilities(*(ENOUGH if mode == "patch" else WITH_BREAKPOINTS), *names)
    with attached(trace, live.process.pid, options=("--vdso", mode), prefix=prefix) as systrace:
        round_of(live)
        return systrace.detach()


@pytest.mark.parametrize("mode", ["patch", "breakpoint"])
def test_attach_counts_a_program_of_the_users_own(
    trace: Tracer, build: Callable[..., str], public: Path, mode: str
) -> None:
    program = str(shutil.copy(build("on_signal"), public))
    ids = (f"--reuid={USER.pw_uid}", f"--regid={USER.pw_gid}", "--clear-groups")
    with started("setpriv", *ids, program, cwd="/") as live:
        assert live.line() == "ready"
        assert observed(trace, live, mode).count("clock_gettime", "vdso") == CALLS


@pytest.mark.parametrize(
    ("mode", "name", "by"),
    [("breakpoint", (), "breakpoint"), ("auto", (), "breakpoint"),
     ("patch", ("dac_override",), "patch")],
)  # fmt: skip
def test_attach_counts_another_users_program(
    trace: Tracer, theirs: Live, mode: str, name: tuple[str, ...], by: str
) -> None:
    traced = observed(trace, theirs, mode, *name)
    assert traced.count("clock_gettime", "vdso") == CALLS
    assert traced.report["probes"]["vdso"] == by
    said = "CAP_DAC_OVERRIDE" in " ".join(traced.warnings)
    assert said == (mode == "auto")


def test_patching_another_users_program_takes_cap_dac_override(theirs: Live) -> None:
    argv = [str(SYSTRACE), "attach", "-q", "--vdso", "patch", "-d", "1", str(theirs.process.pid)]
    done = subprocess.run([*FOUR, *argv], capture_output=True, check=False, text=True, cwd="/")
    assert done.returncode == 125
    announced, *refused = done.stderr.splitlines()
    assert announced.startswith("systrace: patching ")
    assert len(refused) == 2
    assert "takes CAP_DAC_OVERRIDE" in refused[0]


@pytest.mark.parametrize("follow", ["-f", "--follow=signal"])
def test_a_set_uid_program_keeps_its_privilege_and_is_counted(
    trace: Tracer, public: Path, follow: str
) -> None:
    program = Path(shutil.copy(example("vdso_all_musl"), public))
    os.chown(program, 0, 0)
    program.chmod(0o755 | stat.S_ISUID)
    identify = Path(shutil.copy("/usr/bin/id", public))
    os.chown(identify, 0, 0)
    identify.chmod(0o755 | stat.S_ISUID)
    line = f"{program}; {identify} -u"
    for command in ([str(program)], ["sh", "-c", line]):
        prefix = with_capabilities(*WITH_BREAKPOINTS)
        traced = trace(*command, options=(follow,), prefix=prefix, cwd="/")
        assert traced.count("clock_gettime", "vdso") == 10_007 + 2_032
        assert "CAP_DAC_OVERRIDE" in traced.warnings[0]
    assert traced.process.stdout.splitlines()[-1] == b"0"


def test_what_systrace_was_given_is_not_the_targets(trace: Tracer) -> None:
    """And all else is its caller's: the other capabilities, and what else there is to inherit."""
    given = (*ENOUGH, "dac_override", "sys_admin")
    besides = ("--no-new-privs", "--securebits", "+no_setuid_fixup,+noroot_locked")
    asked = ("sh", "-c", "cat /proc/self/status; setpriv --dump")
    prefix = with_capabilities(*given, "net_bind_service", besides=besides)
    ours = status(trace(*asked, prefix=prefix, cwd="/").process.stdout.decode())
    alone = with_capabilities("net_bind_service", besides=besides)
    without = subprocess.check_output([*alone, *asked], cwd="/", text=True, timeout=HANGS_S)
    # what is inheritable only gives nothing to a file that does not ask for it
    inheritable = ("CapInh", "Inheritable capabilities")
    theirs = {**status(without), **{name: ours[name] for name in inheritable}}
    assert ours == theirs
    assert ours["CapAmb"] == ours["CapEff"] == ours["CapPrm"] == f"{1 << 10:016x}"
    assert ours["NoNewPrivs"] == "1"
    assert "noroot_locked" in ours["Securebits"]


def test_root_keeps_its_ambient_capabilities(trace: Tracer) -> None:
    prefix = ("setpriv", "--inh-caps=-all,+bpf", "--ambient-caps=-all,+bpf")
    kept = status(trace("cat", "/proc/self/status", prefix=prefix, cwd="/").process.stdout.decode())
    assert kept["CapAmb"] == f"{1 << 39:016x}"


@pytest.mark.parametrize(("besides", "by"), [((), "breakpoint"), (("sys_admin",), "patch")])
def test_a_program_with_a_filter_is_patched_with_cap_sys_admin_only(
    trace: Tracer, build: Callable[..., str], public: Path, besides: tuple[str, ...], by: str
) -> None:
    cage, clocks = (
        str(shutil.copy(path, public)) for path in (build("caged"), build("clocks", "-static"))
    )
    prefix = with_capabilities(*ENOUGH, *besides)
    traced = trace(cage, clocks, prefix=prefix, cwd="/")
    nothing = RESTRICTED and by == "breakpoint"
    assert traced.count("clock_gettime", "vdso") == (0 if nothing else 120_084)
    assert ("cannot be suspended" in " ".join(traced.warnings)) == (by == "breakpoint")


def test_doctor_tells_what_they_do_without() -> None:
    argv = [*FOUR, str(SYSTRACE), "doctor", "--json"]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=HANGS_S, cwd="/")
    document = json.loads(done.stdout)
    assert (done.returncode, document["exact"]) == (0, True)
    levels = {item["subject"]: item["level"] for item in document["findings"]}
    assert levels["privilege"] == levels["cache"] == "limited"
    outcomes = {trial["mode"]: trial["outcome"] for trial in document["self_test"]}
    assert outcomes.pop("uprobe") == "refused"
    if RESTRICTED:
        assert outcomes.pop("breakpoint") == "refused"
    assert set(outcomes.values()) == {"exact"}


def test_compare_takes_no_more() -> None:
    program = example("getppid")
    argv = [*FOUR, str(SYSTRACE), "compare", "-r", "1", "-F", "json", program, program]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=HANGS_S, cwd="/")
    rows = {(row["name"], row["via"]): row for row in json.loads(done.stdout)["rows"]}
    assert rows["getppid", "syscall"]["count"]["a"] == rows["getppid", "syscall"]["count"]["b"]
