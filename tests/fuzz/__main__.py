"""``make fuzz``: every parser in turn, guided by coverage, for so many seconds each.

What is found is printed, and lies in ``.fuzz/found``; mended, it belongs in ``corpus``.
"""

import os
import subprocess
import sys
from pathlib import Path

from .parsers import PARSERS

PLACE = Path(".fuzz")  # of what was learnt; git passes it over
LIMITS = ("-timeout=20", "-rss_limit_mb=1024", "-max_len=8192", "-print_final_stats=1")


def main() -> None:
    seconds = int(os.environ.get("SECONDS") or "60")
    names = os.environ.get("PARSERS", "").split() or list(PARSERS)
    failed = [name for name in names if fuzz(name, seconds)]
    for name in failed:
        say(f"{name}: it did wrong; see {PLACE / 'found' / name}")
    sys.exit(bool(failed))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def fuzz(name: str, seconds: int) -> int:
    found, learnt = PLACE / "found" / name, PLACE / "corpus" / name
    for directory in (found, learnt):
        directory.mkdir(parents=True, exist_ok=True)
    log = PLACE / f"{name}.log"
    say(f"{name}: {seconds} s")
    argv = [sys.executable, "-m", "tests.fuzz.guided", name, str(learnt)]
    argv += [*LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={found}/"]
    with log.open("wb") as output:
        done = subprocess.run(argv, stdout=output, stderr=output, check=False)
    text = log.read_text(errors="replace").splitlines()
    shown = text[-40:] if done.returncode else [line for line in text if "executed_units" in line]
    say("\n".join(shown))
    return done.returncode


if __name__ == "__main__":
    main()
