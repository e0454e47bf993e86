"""systrace with the session of fake_systrace.py, its streams as a shell or a terminal has them."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
Fake = Sequence[tuple[str, float]]
FAKE = Path(__file__).with_name("fake_systrace.py")


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SUDO_", "COLUMNS", "TERM"))}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def systrace(
    *arguments: str,
    fake: Fake = (),
    redirected: str = "",
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it, its streams redirected as a shell would."""
    command = [sys.executable, str(FAKE), *arguments]
    if redirected:
        command = ["sh", "-c", f'"$@" {redirected}', "sh", *command]
    return subprocess.run(
        command,
        env=environment(FAKE=json.dumps(fake), **(env or {})),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def on_a_terminal(*arguments: str, shell: str, fake: Fake) -> tuple[str, int]:
    """Run with a controlling terminal; what appeared there, and the exit status."""
    env = environment(FAKE=json.dumps(fake), TERM="xterm")
    child, terminal = pty.fork()
    if child == 0:
        command = ["sh", "-c", f'"$@" {shell}', "sh", sys.executable, str(FAKE), *arguments]
        os.execvpe("sh", command, env)  # noqa: S606  it is a shell
    shown = b""
    while select.select([terminal], (), (), 20)[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
