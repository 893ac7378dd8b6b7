"""The scheduler's settings."""

from services.scheduler.keep_partitions import LogDays
from services.scheduler.redrive_jobs import MAX_REDRIVES
from services.scheduler.remove_expired import Days, Retention
from shared.config import PositiveInt, PositiveSeconds, ServiceConfig


class Config(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the scheduler."""

    # For how long an executor may be silent before its jobs are taken away.
    lease_seconds: PositiveSeconds = 10.0
    # For the plan jobs of runs that are run again.
    plan_timeout_seconds: PositiveInt = 300
    # How often a job on its own may be brought back from its end.
    max_redrives: PositiveInt = MAX_REDRIVES
    pool_size: PositiveInt = 6
    # For how many days what has ended is kept; 0: for ever. Jobs are those on their own; the failed ones include the
    # canceled ones.
    keep_succeeded_jobs_days: Days = 7
    keep_failed_jobs_days: Days = 30
    keep_dead_jobs_days: Days = 90
    keep_runs_days: Days = 0
    keep_deliveries_days: Days = 30
    keep_notifications_days: Days = 30
    keep_events_days: Days = 90
    keep_commands_days: Days = 90
    keep_executors_days: Days = 30
    keep_ticks_days: Days = 30
    # For how many days the logs of pipelines of each class are kept; 0: for ever. Those of jobs on their own are short.
    keep_short_logs_days: Days = 7
    keep_standard_logs_days: Days = 90
    keep_long_logs_days: Days = 0
    # For how long the chunks of a packed log stay: so long streams over all jobs may be away and resume.
    keep_packed_chunks_seconds: PositiveSeconds = 900.0

    def retention(self) -> Retention:
        """Return for how long everything is kept."""
        return Retention(
            succeeded_jobs=self.keep_succeeded_jobs_days,
            failed_jobs=self.keep_failed_jobs_days,
            dead_jobs=self.keep_dead_jobs_days,
            runs=self.keep_runs_days,
            deliveries=self.keep_deliveries_days,
            notifications=self.keep_notifications_days,
            events=self.keep_events_days,
            commands=self.keep_commands_days,
            executors=self.keep_executors_days,
            ticks=self.keep_ticks_days,
        )

    def log_retention(self) -> LogDays:
        """Return for how long logs are kept."""
        return LogDays(
            short=self.keep_short_logs_days, standard=self.keep_standard_logs_days, long=self.keep_long_logs_days
        )
