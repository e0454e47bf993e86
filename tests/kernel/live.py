"""systrace while its target still runs: what both of them say, as it comes."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .tracing import HANGS_S, Traced, Tracer


class Live:
    """A run that has not ended; every wait is for something that the other side does."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def line(self) -> str:
        """The next line that the target prints."""
        assert self.process.stdout
        return self.process.stdout.readline().decode().rstrip("\n")

    def rest(self) -> list[str]:
        """All lines that the target prints from here to its end."""
        assert self.process.stdout
        return self.process.stdout.read().decode().splitlines()

    def tell(self, line: str) -> None:
        """A line for the target to read."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def end_input(self) -> None:
        """The end of what the target reads."""
        assert self.process.stdin
        self.process.stdin.close()

    def target(self) -> int:
        """The target's pid: systrace's only child."""
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(child)

    def shown(self) -> str:
        """The next line of systrace's."""
        assert self.process.stderr
        line = self.process.stderr.readline().decode()
        assert line, "systrace says nothing more"
        return line.rstrip("\n")

    def reports(self) -> Iterator[dict[str, Any]]:
        """JSON reports, each as soon as it is whole, to the end of standard error."""
        assert self.process.stderr
        text = ""
        for line in self.process.stderr:
            text += line.decode()
            try:
                report: dict[str, Any] = json.loads(text)
            except json.JSONDecodeError:
                continue
            text = ""
            yield report
        assert not text

    def end(self, trace: Tracer) -> Traced:
        """Close the target's input, wait, and read the report that systrace leaves."""
        stdout, stderr = self.process.communicate(timeout=HANGS_S)
        done = subprocess.CompletedProcess(
            self.process.args, self.process.returncode, stdout, stderr
        )
        return trace.read(done)


@contextmanager
def started(*argv: str, **popen: Any) -> Iterator[Live]:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(argv, **{**pipes, **popen}) as process:
        try:
            yield Live(process)
        finally:
            if process.poll() is None:
                process.kill()


def loud(trace: Tracer, *command: str, options: tuple[str, ...] = ()) -> list[str]:
    """As ``Tracer.argv``, without ``-q``: the report is shown as well as written."""
    return [word for word in trace.argv(*command, options=options) if word != "-q"]
