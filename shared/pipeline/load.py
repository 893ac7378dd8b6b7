"""The loader: from a pipeline file's bytes to its typed definition."""

from shared.pipeline.build_definition import build_definition
from shared.pipeline.check_needs import check_needs
from shared.pipeline.compose_nodes import compose_nodes
from shared.pipeline.decode_source import decode_source
from shared.pipeline.definition import Pipeline
from shared.pipeline.fields import PIPELINE
from shared.pipeline.problem import PipelineFileError, ProblemList, StopReading
from shared.pipeline.read_scalar import Reference
from shared.pipeline.read_value import Value, read_value


def load_pipeline(source: bytes, *, filename: str = ".howdah.yml") -> Pipeline:
    """Return what the file defines.

    Reads YAML 1.2 by the type that each field expects. Time and memory are bounded for any input. Raises
    `PipelineFileError` with all problems that could be found; `filename` only stands in its message.
    """
    problems = ProblemList()
    data: Value = None
    try:
        root = compose_nodes(decode_source(source, problems), problems)
        data = read_value(PIPELINE, root, "", problems)
        check_needs(_collect_needs(data), problems)
    except StopReading:
        pass
    if problems or not isinstance(data, dict):
        raise PipelineFileError(filename, problems.sorted())
    return build_definition(data)


def _collect_needs(data: Value) -> dict[str, list[Reference]]:
    """Return the needs of all jobs, of those with other problems too."""
    jobs = data.get("jobs") if isinstance(data, dict) else None
    if not isinstance(jobs, dict):
        return {}
    needs = {key: job.get("needs") if isinstance(job, dict) else None for key, job in jobs.items()}
    return {
        key: [reference for reference in references if isinstance(reference, Reference)]
        if isinstance(references, list)
        else []
        for key, references in needs.items()
    }
