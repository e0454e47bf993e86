"""One parser, fuzzed with atheris: ``PARSER DIRECTORY [OPTION OF LIBFUZZER]...``.

Inputs that reach new code are kept in the directory.
"""

import sys

import atheris

with atheris.instrument_imports(include=["systrace", "elftools", "json", "tomllib", "tomli"]):
    from tests.fuzz.parsers import CORPUS, PARSERS


def main() -> None:
    parser, directory, *options = sys.argv[1:]
    parse = PARSERS[parser]
    atheris.Setup([sys.argv[0], *options, directory, str(CORPUS / parser)], parse)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
