"""What somebody puts where systrace, or bcc, might look for its own."""

import os
from pathlib import Path

from .test_start import ELSEWHERE, kept
from .tracing import Tracer

RAISES = "raise SystemExit('planted')\n"


def test_planted_modules_and_kernel_headers_are_not_used(trace: Tracer, tmp_path: Path) -> None:
    """CVE-2024-2314: bcc before 0.30 compiles with the headers in a directory of anybody's."""
    place = tmp_path / "nothing is kept yet"
    place.mkdir(mode=0o755)
    for name in ("bcc.py", "json.py", "click.py", "systrace.py", "sitecustomize.py"):
        (tmp_path / name).write_text(RAISES)
    for tree in (f"kheaders-{os.uname().release}", "source"):
        for header in ("linux/types.h", "linux/kconfig.h", "uapi/linux/bpf.h", "asm/ptrace.h"):
            file = tmp_path / tree / "include" / header
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("#error planted\n")
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "bcc.py"),
        "BCC_KERNEL_SOURCE": str(tmp_path / "source"),
        "C_INCLUDE_PATH": str(tmp_path / "source" / "include"),
        "CPATH": str(tmp_path / "source" / "include"),
    }
    first_start = (*ELSEWHERE, str(place))
    planted = trace("/bin/true", env=environment, cwd=tmp_path, prefix=first_start)
    assert kept(place), "it compiled"
    assert planted.process.returncode == 0
    assert planted.process.stderr == b""
    assert planted.totals == trace("/bin/true").totals
