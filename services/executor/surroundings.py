"""What a job finds around it on this machine."""

from pathlib import Path

import msgspec

from services.executor.append_logs import LogWriter
from services.executor.call_git import GitCredential
from services.executor.finish_jobs import Finisher
from services.executor.hold_jobs import Holdings
from services.executor.hold_state import HeldState
from services.executor.load_definition import DefinitionLoader
from services.executor.queries.claim_jobs import ClaimJobsRow
from services.executor.resolve_run_as import RunAs
from shared.sealed_values import StoredGitCredential, git_credential_of
from shared.sealing import Sealer


class Surroundings(msgspec.Struct, frozen=True):
    """The parts of an executor that its jobs use."""

    state: HeldState
    run_as: RunAs | None
    reaper_pid: int | None
    loader: DefinitionLoader
    sealer: Sealer
    writer: LogWriter
    finisher: Finisher
    holdings: Holdings
    grace_seconds: float
    log_cap_bytes: int

    @property
    def mirrors(self) -> Path:
        """The folder of the repositories' mirrors."""
        return self.state.mirrors

    def git_credential(self, job: ClaimJobsRow) -> GitCredential | None:
        """Open what the job's repository wants to see, if anything. Raises `SealError`."""
        if job.sealed_git_credential is None or job.key_id is None or job.pipeline_id is None:
            return None
        opened = self.sealer.open(
            job.sealed_git_credential, key_id=job.key_id, purpose=git_credential_of(job.pipeline_id)
        )
        stored = msgspec.json.decode(opened, type=StoredGitCredential)
        return GitCredential(username=stored.username, password=stored.password)
