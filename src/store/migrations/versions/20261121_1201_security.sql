-- Who may see what. Group roles, made before the migrations run (store/migrate.py), with a log-in of this installation
-- as the member of each but the last:
--   atende_app       what web, workers and session hosts connect as; owns nothing, bound by row-level security
--   atende_limited   the same on behalf of people who see only some conversations: 20261121_1204_reach.sql
--   atende_queue     what the job dispatcher connects as; sees the queue and nothing of any tenant
--   atende_sessions  what session hosts keep paired devices' keys with, in schema whatsmeow
--   atende_gate      nobody logs in as it; owns the functions of schema gate, the closed list of what may be asked
--                    before a tenant is known
CREATE SCHEMA gate;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO atende_app, atende_gate;
GRANT USAGE ON SCHEMA gate TO atende_app, atende_queue;
GRANT USAGE, CREATE ON SCHEMA gate TO atende_gate;

CREATE FUNCTION public.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;
REVOKE ALL ON FUNCTION public.current_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.current_tenant() TO atende_app, atende_gate;

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOR tenant_table IN
        SELECT c.table_name FROM information_schema.columns c
         WHERE c.table_schema = 'public' AND c.column_name = 'tenant_id' ORDER BY 1
    LOOP
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant_isolation ON public.%I TO atende_app
                        USING (tenant_id = (SELECT current_tenant()))
                        WITH CHECK (tenant_id = (SELECT current_tenant()))', tenant_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO atende_app', tenant_table);
    END LOOP;
END $$;

-- The event log is append-only, also for the application.
REVOKE UPDATE, DELETE ON public.event FROM atende_app;
-- So is the record of which prompt bundle was in force when, and on what grounds.
REVOKE UPDATE, DELETE ON public.bundle_release FROM atende_app;

-- Above the tenants: a tenant sees itself and the people who work for it; browsers' sign-ins only through the gate.
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenant TO atende_app USING (id = (SELECT current_tenant()))
    WITH CHECK (id = (SELECT current_tenant()));
GRANT SELECT, UPDATE ON tenant TO atende_app;
ALTER TABLE user_account ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_account FORCE ROW LEVEL SECURITY;
CREATE POLICY own_people ON user_account FOR SELECT TO atende_app
    USING (EXISTS (SELECT 1 FROM membership m WHERE m.user_id = user_account.id));
GRANT SELECT (id, email, name, locale, created_at) ON user_account TO atende_app;
ALTER TABLE login_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_session FORCE ROW LEVEL SECURITY;
ALTER TABLE login_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_attempt FORCE ROW LEVEL SECURITY;
ALTER TABLE recovery_code ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_code FORCE ROW LEVEL SECURITY;
ALTER TABLE spent_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE spent_token FORCE ROW LEVEL SECURITY;

-- The gate's own sight: exactly the tables its functions need.
DO $$
DECLARE
    seen text;
BEGIN
    FOREACH seen IN ARRAY ARRAY['tenant', 'user_account', 'login_session', 'membership', 'channel_session',
                                'conversation', 'outbox_message', 'outbox_alias', 'event', 'held_event', 'approval', 'suggestion',
                                'webhook_endpoint', 'webhook_delivery', 'media_file', 'knowledge_document',
                                'knowledge_chunk', 'api_key', 'eval_case', 'session_request', 'channel_request',
                                'message', 'message_change', 'contact', 'contact_address', 'conversation_episode',
                                'invitation', 'team', 'team_member', 'task', 'model_spending',
                                'login_attempt', 'recovery_code', 'spent_token',
                                'idempotent_request', 'operator_send', 'notification']
    LOOP
        EXECUTE format('CREATE POLICY gate_sight ON public.%I TO atende_gate USING (true) WITH CHECK (true)', seen);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON tenant, user_account, membership TO atende_gate;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_session, login_attempt, recovery_code, spent_token TO atende_gate;
GRANT SELECT, UPDATE ON channel_session, outbox_message TO atende_gate;
GRANT SELECT ON conversation, held_event, outbox_alias, approval, suggestion, webhook_endpoint, webhook_delivery, media_file TO atende_gate;
GRANT SELECT ON knowledge_document, knowledge_chunk, eval_case, session_request, channel_request,
    conversation_episode TO atende_gate;
-- What the inbox's search looks words up in (gate.messages_by_words, gate.conversations_by_contact).
GRANT SELECT ON message, message_change, contact, contact_address TO atende_gate;
GRANT SELECT, INSERT, DELETE ON event TO atende_gate;
GRANT UPDATE (payload) ON event TO atende_gate;
GRANT SELECT, UPDATE ON api_key TO atende_gate;
GRANT SELECT, INSERT, UPDATE ON invitation TO atende_gate;
GRANT SELECT ON team, task, model_spending TO atende_gate;
GRANT SELECT, INSERT ON team_member TO atende_gate;
-- What has outlived its use (gate.forget_outlived). UPDATE is what FOR UPDATE wants.
GRANT SELECT, UPDATE, DELETE ON idempotent_request, operator_send, notification, webhook_delivery, channel_request,
    session_request, invitation TO atende_gate;

-- Messages as their author left them: the newest edit, and whether they were revoked.
CREATE VIEW message_as_changed WITH (security_invoker = true) AS
SELECT m.id, m.tenant_id, m.conversation_id, m.channel_session_id, m.contact_id, m.sender, m.provider_id, m.author,
       m.kind, m.content, m.quoted_provider_id, m.user_id, m.turn_id, m.historical, m.sent_at, m.received_at,
       coalesce(change.text, m.text) AS text, change.text IS NOT NULL AS edited, coalesce(change.revoked, false) AS revoked,
       change.transcript
  FROM message m
  LEFT JOIN LATERAL (
      SELECT (array_agg(x.content ->> 'text' ORDER BY x.at DESC, x.id DESC) FILTER (WHERE x.kind = 'edit'))[1] AS text,
             bool_or(x.kind = 'revoke') AS revoked,
             (array_agg(x.content ORDER BY x.id DESC) FILTER (WHERE x.kind = 'transcript'))[1] AS transcript
        FROM message_change x
       WHERE x.channel_session_id = m.channel_session_id AND x.provider_id = m.provider_id
         AND x.contact_id = m.contact_id
  ) change ON m.provider_id IS NOT NULL;
GRANT SELECT ON message_as_changed TO atende_app;
