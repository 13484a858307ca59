-- The closed list of questions that may be asked before a tenant is known. Each runs as atende_gate, sees only what
-- gate_sight allows, and answers with ids and what the caller needs to enter a tenant's transaction.

-- Sign-in ------------------------------------------------------------------------------------------------------
CREATE FUNCTION gate.find_login(wanted_email text)
RETURNS TABLE (user_id uuid, password_hash text, memberships jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.password_hash,
           coalesce((SELECT jsonb_agg(jsonb_build_object('tenant_id', m.tenant_id, 'role', m.role) ORDER BY m.created_at)
                       FROM membership m WHERE m.user_id = u.id), '[]')
      FROM user_account u WHERE u.email = lower(wanted_email)
$$;

CREATE FUNCTION gate.open_login(new_token_hash text, for_user uuid, for_tenant uuid, valid_for interval)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH opened AS (
        INSERT INTO login_session (token_hash, user_id, active_tenant_id, expires_at)
        SELECT new_token_hash, m.user_id, m.tenant_id, now() + valid_for
          FROM membership m WHERE m.user_id = for_user AND m.tenant_id = for_tenant
        RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM opened)
$$;

CREATE FUNCTION gate.resume_login(given_token_hash text)
RETURNS TABLE (user_id uuid, user_name text, user_email text, locale text, tenant_id uuid, tenant_name text,
               tenant_locale text, role text, memberships jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.name, u.email, u.locale, t.id, t.name, t.locale, m.role,
           (SELECT jsonb_agg(jsonb_build_object('tenant_id', o.id, 'name', o.name, 'role', om.role) ORDER BY o.name)
              FROM membership om JOIN tenant o ON o.id = om.tenant_id WHERE om.user_id = u.id)
      FROM login_session s
      JOIN user_account u ON u.id = s.user_id
      JOIN tenant t ON t.id = s.active_tenant_id
      JOIN membership m ON m.user_id = u.id AND m.tenant_id = t.id
     WHERE s.token_hash = given_token_hash AND s.expires_at > now()
$$;

CREATE FUNCTION gate.switch_login(given_token_hash text, to_tenant uuid)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH switched AS (
        UPDATE login_session s SET active_tenant_id = to_tenant
          FROM membership m
         WHERE s.token_hash = given_token_hash AND s.expires_at > now()
           AND m.user_id = s.user_id AND m.tenant_id = to_tenant
        RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM switched)
$$;

CREATE FUNCTION gate.close_login(given_token_hash text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM login_session WHERE token_hash = given_token_hash OR expires_at < now()
$$;

CREATE FUNCTION gate.put_member(to_tenant uuid, new_user uuid, new_role text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO membership (tenant_id, user_id, role) VALUES (to_tenant, new_user, new_role)
    ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role
$$;

-- Administration from the command line (not granted to atende_app) ---------------------------------------------
CREATE FUNCTION gate.put_tenant(new_slug text, new_name text, new_locale text, new_timezone text)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO tenant (slug, name, locale, timezone) VALUES (new_slug, new_name, new_locale, new_timezone)
    ON CONFLICT (slug) DO UPDATE SET name = excluded.name, locale = excluded.locale, timezone = excluded.timezone
    RETURNING id
$$;

CREATE FUNCTION gate.put_user(new_email text, new_name text, new_hash text, new_locale text)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO user_account (email, name, password_hash, locale) VALUES (lower(new_email), new_name, new_hash, new_locale)
    ON CONFLICT (email) DO UPDATE SET name = excluded.name
    RETURNING id
$$;

CREATE FUNCTION gate.list_tenants()
RETURNS TABLE (tenant_id uuid, slug text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id, slug, name FROM tenant ORDER BY slug
$$;

-- The tenants that were written to last: a starting worker gets ready for them.
CREATE FUNCTION gate.recent_tenants(at_most integer)
RETURNS TABLE (tenant_id uuid, profile_version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id, t.profile_version FROM tenant t
      LEFT JOIN LATERAL (SELECT max(c.last_message_at) AS at FROM conversation c WHERE c.tenant_id = t.id) last ON true
     ORDER BY last.at DESC NULLS LAST, t.created_at DESC LIMIT at_most
$$;

-- Channels -----------------------------------------------------------------------------------------------------
CREATE FUNCTION gate.channel_session(session_id uuid)
RETURNS TABLE (tenant_id uuid, provider text, account text, config jsonb, name text, settings jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.tenant_id, s.provider, s.account, s.config, s.name, t.settings
      FROM channel_session s JOIN tenant t ON t.id = s.tenant_id WHERE s.id = session_id
$$;

-- All numbers of a provider: one webhook may be for several of them (the Cloud API has one for each app).
CREATE FUNCTION gate.channel_sessions(of_provider text)
RETURNS TABLE (id uuid, tenant_id uuid, provider text, account text, config jsonb, name text, settings jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.id, s.tenant_id, s.provider, s.account, s.config, s.name, t.settings
      FROM channel_session s JOIN tenant t ON t.id = s.tenant_id WHERE s.provider = of_provider
     ORDER BY s.created_at, s.id
$$;

-- Customers' files that wait to be fetched from a gateway.
CREATE FUNCTION gate.due_media(for_providers text[], at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid, channel_session_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.id, f.tenant_id, f.channel_session_id
      FROM media_file f JOIN channel_session s ON s.id = f.channel_session_id
     WHERE f.state = 'wanted' AND f.next_attempt_at <= now() AND s.provider = ANY (for_providers)
     ORDER BY f.next_attempt_at LIMIT at_most
$$;

-- A session belongs to one host. Renews what the host has, and takes free or abandoned ones up to its capacity.
-- The host stops what is not in the answer, so it waits for a locked row of its own; only others' are skipped.
CREATE FUNCTION gate.lease_sessions(host text, for_provider text, valid_for interval, capacity integer)
RETURNS TABLE (id uuid, tenant_id uuid, account text, config jsonb, name text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH held AS (
        SELECT s.id FROM channel_session s
         WHERE s.provider = for_provider AND s.wanted AND s.lease_owner = host
         ORDER BY s.created_at, s.id LIMIT capacity
           FOR NO KEY UPDATE
    ), free AS (
        SELECT s.id FROM channel_session s
         WHERE s.provider = for_provider AND s.wanted AND s.lease_owner IS DISTINCT FROM host
           AND (s.lease_until IS NULL OR s.lease_until < now())
         ORDER BY s.created_at, s.id LIMIT greatest(capacity - (SELECT count(*) FROM held), 0)
           FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE channel_session s SET lease_owner = host, lease_until = now() + valid_for
     WHERE s.id IN (SELECT id FROM held UNION ALL SELECT id FROM free)
    RETURNING s.id, s.tenant_id, s.account, s.config, s.name
$$;

CREATE FUNCTION gate.release_sessions(host text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE channel_session SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = host
$$;

-- Delivery -----------------------------------------------------------------------------------------------------
-- The first waiting message of each conversation, of numbers that the caller can send for. A worker sends what its own
-- turns decided at once, without asking here; others step in only after a while, or they would all race for each row.
CREATE FUNCTION gate.due_outbox(for_providers text[], for_sessions uuid[], patience interval, at_most integer)
RETURNS TABLE (outbox_id uuid, tenant_id uuid, conversation_id uuid, channel_session_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.tenant_id, o.conversation_id, o.channel_session_id
      FROM outbox_message o JOIN channel_session s ON s.id = o.channel_session_id
     WHERE o.state = 'queued' AND o.not_before <= now() AND s.next_send_at <= now()
       AND (s.status <> 'restricted' -- WhatsApp limits new chats: who never wrote to us waits
            OR EXISTS (SELECT 1 FROM conversation c WHERE c.id = o.conversation_id AND c.last_inbound_id > 0))
       AND (s.id = ANY (for_sessions)
            OR (s.provider = ANY (for_providers)
                AND (o.origin <> 'bot' OR o.attempts > 0 OR o.queued_at <= now() - patience)))
       AND NOT EXISTS (SELECT 1 FROM outbox_message e
                        WHERE e.conversation_id = o.conversation_id
                          AND (e.state = 'sending' OR (e.state = 'queued' AND e.message_id < o.message_id)))
     ORDER BY (o.origin = 'bot'), o.message_id LIMIT at_most
$$;

CREATE FUNCTION gate.overdue_sending()
RETURNS TABLE (outbox_id uuid, tenant_id uuid, conversation_id uuid, channel_session_id uuid, provider text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.tenant_id, o.conversation_id, o.channel_session_id, s.provider
      FROM outbox_message o JOIN channel_session s ON s.id = o.channel_session_id
     WHERE o.state = 'sending' AND o.sending_until < now()
$$;

-- Own messages whose origin (ours, or a person on the phone) could not be told when they came.
CREATE FUNCTION gate.held_events(of_kind text, older_than interval, at_most integer)
RETURNS TABLE (id bigint, tenant_id uuid, channel_session_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id, tenant_id, channel_session_id FROM held_event
     WHERE kind = of_kind AND created_at < now() - older_than ORDER BY id LIMIT at_most
$$;

-- Tenants in which something may have waited too long at the desk: a conversation nobody claimed, a suggestion nobody
-- judged. How long is too long, each tenant says for itself.
CREATE FUNCTION gate.tenants_at_the_desk(older_than interval)
RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id FROM conversation c WHERE c.status = 'waiting'
    UNION
    SELECT s.tenant_id FROM suggestion s WHERE s.status = 'pending' AND s.created_at < now() - older_than
$$;

-- Events -------------------------------------------------------------------------------------------------------
-- In the order of ids, only as far as no open transaction can still write an earlier one.
CREATE FUNCTION gate.events_after(cursor_id bigint, at_most integer)
RETURNS TABLE (id bigint, tenant_id uuid, conversation_id uuid, kind text, payload jsonb, actor text,
               created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.id, e.tenant_id, e.conversation_id, e.kind, e.payload, e.actor, e.created_at
      FROM event e
     WHERE e.id > cursor_id AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY e.id LIMIT at_most
$$;

CREATE FUNCTION gate.last_event_id()
RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(max(id), 0) FROM event WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
$$;

-- Webhooks out: endpoints with events to come, and deliveries that are due. Within a conversation the first attempts go
-- in order; one that failed stands aside, and its sequence number tells the receiver.
CREATE FUNCTION gate.webhooks_behind()
RETURNS TABLE (tenant_id uuid, endpoint_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT w.tenant_id, w.id FROM webhook_endpoint w
     WHERE w.state = 'active'
       AND EXISTS (SELECT 1 FROM event e WHERE e.tenant_id = w.tenant_id AND e.id > w.cursor_id
                      AND e.xid < pg_snapshot_xmin(pg_current_snapshot()))
$$;

CREATE FUNCTION gate.due_webhooks(at_most integer)
RETURNS TABLE (tenant_id uuid, delivery_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.tenant_id, d.id
      FROM webhook_delivery d JOIN webhook_endpoint w ON w.id = d.endpoint_id AND w.state = 'active'
     WHERE d.state = 'pending' AND d.next_attempt_at <= now()
       AND (d.claimed_until IS NULL OR d.claimed_until < now())
       AND NOT EXISTS (SELECT 1 FROM webhook_delivery b
                        WHERE b.endpoint_id = d.endpoint_id AND b.conversation_id = d.conversation_id
                          AND b.state = 'pending' AND b.id < d.id
                          AND (b.attempts = 0 OR b.claimed_until > now()))
     ORDER BY d.next_attempt_at, d.id LIMIT at_most
$$;

-- Queue --------------------------------------------------------------------------------------------------------
-- One waiting turn per conversation. A further message moves it, but never past the cap from the first one on.
-- NULL wait: at once.
CREATE FUNCTION gate.enqueue_turn(to_queue text, tenant uuid, conversation uuid, wait interval, cap interval,
                                  next_attempt integer)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = queue, public, pg_temp AS $$
    INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
    SELECT to_queue, 'turn', 'conversation:' || conversation, 'conversation:' || conversation,
           jsonb_build_object('tenant_id', tenant, 'conversation_id', conversation, 'attempt', next_attempt,
                              'first_at', extract(epoch FROM clock_timestamp())),
           clock_timestamp() + wait
     WHERE current_setting('app.tenant_id', true) = tenant::text
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE
       SET scheduled_at = CASE
               WHEN excluded.scheduled_at IS NULL OR procrastinate_jobs.scheduled_at IS NULL THEN NULL
               ELSE least(excluded.scheduled_at,
                          to_timestamp((procrastinate_jobs.args ->> 'first_at')::float8) + cap) END
$$;

-- The customer is typing: a turn that waits for its time waits on, up to the same cap. Never begins or hastens one.
CREATE FUNCTION gate.delay_turn(tenant uuid, conversation uuid, wait interval, cap interval)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = queue, public, pg_temp AS $$
    UPDATE procrastinate_jobs j
       SET scheduled_at = greatest(j.scheduled_at,
                                   least(clock_timestamp() + wait, to_timestamp((j.args ->> 'first_at')::float8) + cap))
     WHERE j.queueing_lock = 'conversation:' || conversation AND j.status = 'todo' AND j.scheduled_at IS NOT NULL
       AND j.args ->> 'tenant_id' = tenant::text AND current_setting('app.tenant_id', true) = tenant::text
$$;

-- A decided approval, run in line with the conversation's turns.
CREATE FUNCTION gate.enqueue_approval(to_queue text, tenant uuid, conversation uuid, approval uuid)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = queue, public, pg_temp AS $$
    INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
    SELECT to_queue, 'approval', 'conversation:' || conversation, 'approval:' || approval,
           jsonb_build_object('tenant_id', tenant, 'approval_id', approval)
     WHERE current_setting('app.tenant_id', true) = tenant::text
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
$$;

-- Approvals that were decided or expired without an end being made of them and for which no job exists, and pending
-- ones past their time.
CREATE FUNCTION gate.unsettled_approvals(older_than interval)
RETURNS TABLE (tenant_id uuid, conversation_id uuid, approval_id uuid, expired boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = queue, public, pg_temp AS $$
    SELECT a.tenant_id, a.conversation_id, a.id, a.status = 'pending' FROM public.approval a
     WHERE (a.status = 'pending' AND a.expires_at < now())
        OR (a.status IN ('approved', 'rejected', 'expired') AND a.settled_at IS NULL AND a.decided_at < now() - older_than
            AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j
                             WHERE j.lock = 'conversation:' || a.conversation_id AND j.task_name = 'approval'
                               AND j.args ->> 'approval_id' = a.id::text AND j.status IN ('todo', 'doing')))
     LIMIT 100
$$;

-- Conversations whose message waits for an answer although no job exists for it: the last safety net.
CREATE FUNCTION gate.forgotten_conversations(older_than interval)
RETURNS TABLE (tenant_id uuid, conversation_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = queue, public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM public.conversation c
     WHERE c.status = 'bot' AND c.last_inbound_id > c.answered_upto_id AND c.last_message_at < now() - older_than
       AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j
                        WHERE j.lock = 'conversation:' || c.id AND j.status IN ('todo', 'doing'))
     LIMIT 100
$$;

-- The event log has no foreign key (see busy_tenant_key), so it goes with its tenant here.
CREATE FUNCTION gate.forget_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM event WHERE tenant_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_events AFTER DELETE ON public.tenant FOR EACH ROW EXECUTE FUNCTION gate.forget_events();

DO $$
DECLARE
    signature regprocedure;
BEGIN
    FOR signature IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'gate'::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO atende_gate', signature);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION gate.find_login, gate.open_login, gate.resume_login, gate.switch_login, gate.close_login,
    gate.channel_session, gate.channel_sessions, gate.due_media, gate.recent_tenants, gate.lease_sessions, gate.release_sessions,
    gate.tenants_at_the_desk, gate.due_outbox, gate.overdue_sending, gate.held_events, gate.events_after, gate.last_event_id, gate.enqueue_turn, gate.delay_turn, gate.enqueue_approval,
    gate.unsettled_approvals, gate.forgotten_conversations, gate.webhooks_behind, gate.due_webhooks TO atende_app;
