"""Write the packages of typed queries from sql/, or check that they are what sql/ says.

Usage: python -m sql.codegen [--check]
`--check` changes nothing, names every file that was edited, is missing, or is left over, and exits with 1.
"""

import sys

from sql.codegen.generate_packages import GenerationError, check_packages, write_packages


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if not arguments:
            write_packages()
            return 0
        drift = check_packages()
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1
    if drift:
        print(*drift, "Run `make generate`.", sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
