-- Rows that have outlived their use, of all tenants: flows/keep_times.py says for how long each is kept. In parts, so
-- that nobody waits for it, and two workers at once take different rows. What is not over is never taken: a request that
-- waits, a delivery that may still be tried, a notification that nobody has read.
CREATE FUNCTION gate.forget_outlived(what text, kept interval, at_most integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone integer;
    since CONSTANT timestamptz := now() - kept;
BEGIN
    CASE what
        WHEN 'idempotent_request' THEN
            DELETE FROM idempotent_request r USING (
                SELECT tenant_id, key FROM idempotent_request WHERE created_at < since
                 ORDER BY created_at LIMIT at_most FOR UPDATE SKIP LOCKED) old
             WHERE r.tenant_id = old.tenant_id AND r.key = old.key;
        WHEN 'operator_send' THEN
            DELETE FROM operator_send WHERE id IN (
                SELECT id FROM operator_send WHERE created_at < since LIMIT at_most FOR UPDATE SKIP LOCKED);
        WHEN 'webhook_delivery' THEN
            DELETE FROM webhook_delivery WHERE id IN (
                SELECT id FROM webhook_delivery WHERE ended_at < since AND state <> 'pending'
                 ORDER BY ended_at LIMIT at_most FOR UPDATE SKIP LOCKED);
        WHEN 'notification' THEN
            DELETE FROM notification WHERE id IN (
                SELECT id FROM notification WHERE read_at < since LIMIT at_most FOR UPDATE SKIP LOCKED);
        WHEN 'channel_request' THEN
            DELETE FROM channel_request WHERE id IN (
                SELECT id FROM channel_request WHERE created_at < since LIMIT at_most FOR UPDATE SKIP LOCKED);
        WHEN 'session_request' THEN
            DELETE FROM session_request WHERE id IN (
                SELECT id FROM session_request WHERE created_at < since AND state <> 'waiting'
                 LIMIT at_most FOR UPDATE SKIP LOCKED);
        WHEN 'invitation' THEN
            DELETE FROM invitation WHERE id IN (
                SELECT id FROM invitation WHERE least(ended_at, expires_at) < since
                 LIMIT at_most FOR UPDATE SKIP LOCKED);
        WHEN 'login_attempt' THEN
            DELETE FROM login_attempt a WHERE a.key IN (
                SELECT key FROM login_attempt t WHERE t.since < now() - kept LIMIT at_most FOR UPDATE SKIP LOCKED);
        WHEN 'login_session' THEN
            DELETE FROM login_session WHERE id IN (
                SELECT id FROM login_session WHERE expires_at < since LIMIT at_most FOR UPDATE SKIP LOCKED);
        WHEN 'spent_token' THEN
            DELETE FROM spent_token WHERE token_hash IN (
                SELECT token_hash FROM spent_token WHERE spent_at < since LIMIT at_most FOR UPDATE SKIP LOCKED);
    END CASE;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

-- Files that programs handed in to send them, and whose time for that is over. Each message has a row of its own.
CREATE FUNCTION gate.unsent_files(kept interval, at_most integer)
RETURNS TABLE (tenant_id uuid, id uuid, sha256 text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.tenant_id, f.id, f.sha256 FROM media_file f
     WHERE f.message_id IS NULL AND f.state = 'stored' AND f.created_at < now() - kept
     ORDER BY f.created_at LIMIT at_most
$$;

ALTER FUNCTION gate.unsent_files OWNER TO atende_gate;
REVOKE ALL ON FUNCTION gate.unsent_files FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.unsent_files TO atende_app;

ALTER FUNCTION gate.forget_outlived OWNER TO atende_gate;
REVOKE ALL ON FUNCTION gate.forget_outlived FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate.forget_outlived TO atende_app;
