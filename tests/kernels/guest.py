"""A guest under QEMU, emulated throughout (TCG): no KVM is needed, and none is used.

Its root is the machine's own, read-only, with a layer of memory above it: what is installed here
is installed there, and nothing that happens there stays. One script runs in it, as root.
"""

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .debian import Kernel

# TCG is 10 to 30 times slower than the machine: a boot takes 5 s, a systrace run 12 s.
HANGS_S = 600

# One thread for both CPUs. With one each, QEMU 7.2 may translate an instruction while the kernel
# patches it (a tracepoint is switched on), and go on with what is no longer there: "Oops: int3".
_ACCELERATOR = "tcg,thread=single"
_PARAMETERS = ("console=ttyS0", "panic=-1", "quiet")


@dataclass(frozen=True)
class Ended:
    """How the script of a guest ended, which is switched off by now."""

    status: int
    stdout: str
    stderr: str


def run(
    kernel: Kernel,
    script: str,
    directory: Path,
    parameters: Sequence[str] = (),
    hangs_s: int = HANGS_S,
) -> Ended:
    """Boot with these parameters, run the script, and wait until the guest is off.

    ``directory`` is what it sees, and may write to, as /from_outside.
    Raises RuntimeError, with the end of its console, where it never came to run the script.
    """
    (directory / "script").write_text(script)
    (directory / "root.sh").write_bytes(Path(__file__).with_name("root.sh").read_bytes())
    booted = subprocess.run(
        _command(kernel, directory, parameters),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=hangs_s,
        check=False,
    )
    status = directory / "status"
    if not status.exists():
        console = booted.stdout.decode(errors="replace")[-2000:]
        raise RuntimeError(f"{kernel.name} {' '.join(parameters)} did not get through: {console}")
    stdout, stderr = (
        (directory / name).read_text(errors="replace") for name in ("stdout", "stderr")
    )
    return Ended(int(status.read_text()), stdout, stderr)


def _command(kernel: Kernel, directory: Path, parameters: Sequence[str]) -> list[str]:
    root = "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"
    # QEMU's lists are separated by commas, and a comma in a value is doubled
    outside = str(directory).replace(",", ",,")
    return [
        *("nice", "-n", "10", "qemu-system-x86_64", "-nodefaults", "-nographic", "-no-reboot"),
        *("-accel", _ACCELERATOR, "-cpu", "max", "-smp", "2", "-m", "3G"),
        *("-serial", "stdio", "-monitor", "none", "-device", "virtio-rng-pci"),
        *("-fsdev", root, "-device", "virtio-9p-pci,fsdev=root,mount_tag=root"),
        *("-fsdev", f"local,id=exchange,path={outside},security_model=none"),
        *("-device", "virtio-9p-pci,fsdev=exchange,mount_tag=exchange"),
        *("-kernel", str(kernel.image), "-initrd", str(kernel.initramfs)),
        *("-append", " ".join((*_PARAMETERS, *parameters))),
    ]


def words(*command: object) -> str:
    """Spell a command for a script."""
    return shlex.join(str(word) for word in command)
