-- What people with a limited reach see (domain.roles.Reach: team or own). Their transactions work as atende_limited, a
-- member of atende_app with these restrictive policies on top; who sees everything pays nothing for them.
--
-- Visible is a conversation that is the person's own, or with the reach "team" one of the person's teams or of nobody's.
-- Whatever hangs on a conversation is visible with it: its policy asks for the conversation, and the conversation's own
-- policies answer. What somebody makes, hands away or gives back stays visible to the rest of that very transaction.
CREATE FUNCTION public.current_person() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('app.person_id', true), '')::uuid $$;
CREATE FUNCTION public.touched_here() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT string_to_array(nullif(current_setting('app.touched', true), ''), ',')::uuid[] $$;
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.touched', concat_ws(',', nullif(current_setting('app.touched', true), ''), NEW.id), true);
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION public.current_person(), public.touched_here(), public.touch() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.current_person(), public.touched_here(), public.touch() TO atende_app, atende_gate;

CREATE TRIGGER touch BEFORE UPDATE OF assignee_id, team_id ON public.conversation FOR EACH ROW
    WHEN (nullif(current_setting('app.person_id', true), '') IS NOT NULL
          AND (OLD.assignee_id IS DISTINCT FROM NEW.assignee_id OR OLD.team_id IS DISTINCT FROM NEW.team_id))
    EXECUTE FUNCTION public.touch();
CREATE TRIGGER touch_new BEFORE INSERT ON public.conversation FOR EACH ROW
    WHEN (nullif(current_setting('app.person_id', true), '') IS NOT NULL) EXECUTE FUNCTION public.touch();
CREATE TRIGGER touch_new BEFORE INSERT ON public.contact FOR EACH ROW
    WHEN (nullif(current_setting('app.person_id', true), '') IS NOT NULL) EXECUTE FUNCTION public.touch();

CREATE POLICY reach ON conversation AS RESTRICTIVE TO atende_limited USING (
    assignee_id = (SELECT current_person())
    OR ((SELECT current_setting('app.reach', true)) = 'team'
        AND (team_id IS NULL
             OR team_id IN (SELECT m.team_id FROM team_member m WHERE m.user_id = (SELECT current_person()))))
    OR id = ANY (touched_here()))
    WITH CHECK (true);
CREATE POLICY reach ON contact AS RESTRICTIVE TO atende_limited USING (
    EXISTS (SELECT 1 FROM conversation c WHERE c.contact_id = contact.id) OR id = ANY (touched_here()))
    WITH CHECK (true);

-- Those that need a rule of their own.
CREATE POLICY reach ON message_change AS RESTRICTIVE TO atende_limited USING (
    EXISTS (SELECT 1 FROM conversation c
             WHERE c.channel_session_id = message_change.channel_session_id
               AND c.contact_id = message_change.contact_id))
    WITH CHECK (true);
CREATE POLICY reach ON task AS RESTRICTIVE TO atende_limited USING (
    assignee_id = (SELECT current_person())
    OR (EXISTS (SELECT 1 FROM contact p WHERE p.id = task.contact_id)
        AND (conversation_id IS NULL OR EXISTS (SELECT 1 FROM conversation c WHERE c.id = task.conversation_id))))
    WITH CHECK (true);
CREATE POLICY reach ON media_file AS RESTRICTIVE TO atende_limited USING (
    message_id IS NULL OR EXISTS (SELECT 1 FROM message m WHERE m.id = media_file.message_id))
    WITH CHECK (true);
CREATE POLICY reach ON outbox_alias AS RESTRICTIVE TO atende_limited USING (
    EXISTS (SELECT 1 FROM outbox_message o WHERE o.id = outbox_alias.outbox_id))
    WITH CHECK (true);
CREATE POLICY reach ON identity_check AS RESTRICTIVE TO atende_limited USING (
    EXISTS (SELECT 1 FROM conversation c WHERE c.id = identity_check.subject_id)
    OR EXISTS (SELECT 1 FROM contact p WHERE p.id = identity_check.subject_id))
    WITH CHECK (true);
CREATE POLICY reach ON simulator_delivery AS RESTRICTIVE TO atende_limited USING (
    EXISTS (SELECT 1 FROM conversation c WHERE c.channel_session_id = simulator_delivery.channel_session_id
                AND c.address = 'simulator:' || simulator_delivery.contact))
    WITH CHECK (true);
CREATE POLICY reach ON model_spending AS RESTRICTIVE TO atende_limited USING (
    span <> 'conversation'
    OR EXISTS (SELECT 1 FROM conversation c WHERE c.id::text = split_part(model_spending.key, '/', 1)))
    WITH CHECK (true);
-- Nobody's deliveries may be anybody's.
CREATE POLICY reach ON quarantined_event AS RESTRICTIVE TO atende_limited USING (false)
    WITH CHECK (true);
CREATE POLICY reach ON held_event AS RESTRICTIVE TO atende_limited USING (
    EXISTS (SELECT 1 FROM conversation c WHERE c.id = held_event.conversation_id))
    WITH CHECK (true);

-- All others: with their conversation, else with their contact.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.table_name AS name, bool_or(c.column_name = 'conversation_id') AS of_conversation,
               bool_or(c.column_name = 'conversation_id' AND c.is_nullable = 'YES') AS maybe_of_none
          FROM information_schema.columns c
          JOIN information_schema.tables t USING (table_schema, table_name)
         WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
           AND c.column_name IN ('conversation_id', 'contact_id') AND c.table_name <> 'conversation'
           AND NOT EXISTS (SELECT 1 FROM pg_policies p WHERE p.tablename = c.table_name AND p.policyname = 'reach')
         GROUP BY 1
    LOOP
        EXECUTE format(
            'CREATE POLICY reach ON public.%1$I AS RESTRICTIVE TO atende_limited USING (%2$s) WITH CHECK (true)',
            found.name,
            CASE WHEN found.of_conversation THEN
                format('%2$s EXISTS (SELECT 1 FROM conversation c WHERE c.id = %1$I.conversation_id)', found.name,
                       CASE WHEN found.maybe_of_none THEN 'conversation_id IS NULL OR' ELSE '' END)
            ELSE format('EXISTS (SELECT 1 FROM contact p WHERE p.id = %1$I.contact_id)', found.name) END);
    END LOOP;
END $$;
