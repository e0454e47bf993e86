"""systrace with small tables: ``python -I small.py COPY NAME=VALUE... -- ARGUMENTS``.

COPY is a directory for the probes' sources, in which the NAMEs of shared.h have these VALUEs;
others are those of systrace/definitions.py.
"""

import re
import shutil
import sys
from pathlib import Path

from systrace import counters, definitions, layout, probe
from systrace.cli import main


def shrink(copy: Path, wanted: list[str]) -> None:
    shutil.copytree(probe.sources(), copy)
    shared = copy / "shared.h"
    for definition in wanted:
        name, _, value = definition.partition("=")
        if hasattr(definitions, name):
            setattr(definitions, name, int(value))
        else:
            text, found = re.subn(rf"(#define {name}) \d+", rf"\1 {value}", shared.read_text())
            if found != 1:
                raise AttributeError(name)
            shared.write_text(text)
            for module in (layout, counters):
                if hasattr(module, name):
                    setattr(module, name, int(value))
    probe.sources = lambda: copy


if __name__ == "__main__":
    end = sys.argv.index("--")
    shrink(Path(sys.argv[1]), sys.argv[2:end])
    sys.exit(main(sys.argv[end + 1 :]))
