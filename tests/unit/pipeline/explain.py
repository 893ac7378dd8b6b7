"""What the tests of the loader share: the messages for a file, and files made of data."""

import json
from typing import Any

import pytest

from shared.pipeline.definition import Pipeline
from shared.pipeline.load import load_pipeline
from shared.pipeline.problem import PipelineFileError

# A valid job, to complete a file that is about something else.
JOBS = "jobs: {a: {run: echo}}\n"


def load(text: str) -> Pipeline:
    """Load a file from its text."""
    return load_pipeline(text.encode())


def explain(source: str | bytes, filename: str = "f") -> list[str]:
    """Return the lines of the error that the file is refused with."""
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(source if isinstance(source, bytes) else source.encode(), filename=filename)
    return str(caught.value).splitlines()


def write_file(data: Any) -> bytes:
    """Return a file that says this; JSON is YAML."""
    return json.dumps(data, ensure_ascii=False).encode()
