"""Download a job's log as its bytes came."""

import http.client
from typing import Final

from tests.bench.open_bench import Bench, BenchError

_PATIENCE_SECONDS: Final = 60.0


def read_raw_log(bench: Bench, job_id: str) -> bytes:
    """Return the bytes of the job's log, as anybody can download them. Raises `BenchError`."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", f"/api/v1/jobs/{job_id}/log/raw", headers={"authorization": f"Bearer {bench.token}"})
        response = connection.getresponse()
        if response.status != 200:
            raise BenchError(f"the raw log of job {job_id} answered {response.status}")
        return response.read()
    finally:
        connection.close()
