-- procrastinate's tables live in schema queue (created from the library's own schema file just before this).
-- Its triggers notify and log inside the business transaction; both are switched off:
--   * one NOTIFY per transaction serialises commits; store/wakeup.py sends one per process every few milliseconds
--   * the per-job event log is never read: the rescue looks at workers' heartbeats
DROP TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 ON queue.procrastinate_jobs;
DROP TRIGGER procrastinate_trigger_status_events_update_v1 ON queue.procrastinate_jobs;
DROP TRIGGER procrastinate_trigger_status_events_insert_v1 ON queue.procrastinate_jobs;
DROP TRIGGER procrastinate_trigger_scheduled_events_v1 ON queue.procrastinate_jobs;
DROP TRIGGER procrastinate_trigger_abort_requested_events_v1 ON queue.procrastinate_jobs;

-- The library's fetch asks for each candidate whether its lock is held or older; without this index it reads the table.
CREATE INDEX procrastinate_jobs_live_lock_idx ON queue.procrastinate_jobs (lock, status) WHERE status IN ('todo', 'doing');

-- Rows live for milliseconds: clean up behind them by number, not by share.
ALTER TABLE queue.procrastinate_jobs SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);

-- The library's fetch, again and again until there is nothing more or there are enough (store/job_batches.py).
CREATE FUNCTION queue.fetch_jobs(queues varchar[], worker_id bigint, at_most integer)
RETURNS SETOF queue.procrastinate_jobs LANGUAGE plpgsql AS $$
DECLARE
    job queue.procrastinate_jobs;
BEGIN
    FOR _ IN 1..at_most LOOP
        job := queue.procrastinate_fetch_job_v2(queues, worker_id);
        EXIT WHEN job.id IS NULL;
        RETURN NEXT job;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA queue TO atende_queue, atende_gate;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA queue TO atende_queue;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA queue TO atende_queue, atende_gate;
GRANT SELECT, INSERT, UPDATE ON queue.procrastinate_jobs TO atende_gate;
GRANT SELECT ON queue.procrastinate_workers TO atende_gate;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA queue TO atende_queue;
