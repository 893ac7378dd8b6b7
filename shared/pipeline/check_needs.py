"""Check that what jobs need is there and that nothing waits for itself."""

from collections.abc import Mapping, Sequence

from shared.pipeline.explain_key import suggest_value
from shared.pipeline.problem import ProblemList
from shared.pipeline.read_scalar import Reference

_LONGEST_SHOWN = 10

Needs = Mapping[str, Sequence[Reference]]


def check_needs(needs: Needs, problems: ProblemList) -> None:
    """Record needs that name no job or the job itself, and cycles.

    `needs` holds every job, in the order of the file.
    """
    edges: dict[str, list[Reference]] = {}
    keys = tuple(needs)
    for key, references in needs.items():
        edges[key] = []
        for reference in references:
            if reference.key not in needs:
                message = f"there is no job `{reference.key}`"
                problems.add(reference.mark, reference.path, message, suggest_value(reference.key, keys))
            elif reference.key == key:
                problems.add(reference.mark, reference.path, "a job cannot need itself")
            else:
                edges[key].append(reference)
    _find_cycles(edges, problems)


def _find_cycles(edges: dict[str, list[Reference]], problems: ProblemList) -> None:
    """Walk in depth, without recursion; a need that leads back onto the walked path closes a cycle."""
    done: set[str] = set()
    for start, references in edges.items():
        if start in done:
            continue
        path = {start: iter(references)}  # a dict keeps its order: it is the stack, and knows its members
        while path:
            at, remaining = next(reversed(path.items()))
            reference = next(remaining, None)
            if reference is None:
                del path[at]
                done.add(at)
            elif reference.key in path:
                _report_cycle(list(path), reference, problems)
            elif reference.key not in done:
                path[reference.key] = iter(edges[reference.key])


def _report_cycle(path: list[str], closing: Reference, problems: ProblemList) -> None:
    cycle = [*path[path.index(closing.key) :], closing.key]
    if len(cycle) > _LONGEST_SHOWN:
        cycle = [*cycle[: _LONGEST_SHOWN - 2], "…", *cycle[-2:]]
    problems.add(closing.mark, closing.path, f"jobs that need each other form a cycle: {' → '.join(cycle)}")
