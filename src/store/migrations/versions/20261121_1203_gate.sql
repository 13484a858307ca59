-- The closed list of questions that may be asked before a tenant is known. Each runs as atende_gate, sees only what
-- gate_sight allows, and answers with ids and what the caller needs to enter a tenant's transaction.

-- Sign-in (and what else people's accounts need: 20261121_1205_accounts.sql) -----------------------------------------
CREATE FUNCTION gate.find_login(wanted_email text)
RETURNS TABLE (user_id uuid, password_hash text, memberships jsonb, user_name text, locale text, runs_platform boolean,
               totp_sealed text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.password_hash,
           coalesce((SELECT jsonb_agg(jsonb_build_object('tenant_id', m.tenant_id, 'role', m.role, 'slug', t.slug,
                                                         'name', t.name) ORDER BY m.created_at)
                       FROM membership m JOIN tenant t ON t.id = m.tenant_id AND t.closed_at IS NULL
                      WHERE m.user_id = u.id), '[]'),
           u.name, u.locale, u.runs_platform, u.totp_sealed
      FROM user_account u WHERE u.email = lower(wanted_email)
$$;

-- NULL tenant: for platform administrators who belong to no business.
CREATE FUNCTION gate.open_login(new_token_hash text, for_user uuid, for_tenant uuid, valid_for interval,
                                new_kind text DEFAULT 'browser', new_name text DEFAULT '')
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO event (tenant_id, kind, payload, actor)
    SELECT m.tenant_id, 'login.opened', jsonb_build_object('kind', new_kind, 'name', new_name), 'user:' || m.user_id
      FROM membership m JOIN tenant t ON t.id = m.tenant_id AND t.closed_at IS NULL
     WHERE m.user_id = for_user AND m.tenant_id = for_tenant;
    INSERT INTO login_session (token_hash, user_id, active_tenant_id, expires_at, kind, name)
    SELECT new_token_hash, u.id, for_tenant, now() + valid_for, new_kind, new_name
      FROM user_account u
     WHERE u.id = for_user
       AND CASE WHEN for_tenant IS NULL THEN u.runs_platform
                ELSE EXISTS (SELECT 1 FROM membership m JOIN tenant t ON t.id = m.tenant_id AND t.closed_at IS NULL
                              WHERE m.user_id = u.id AND m.tenant_id = for_tenant) END
    RETURNING id
$$;

-- Who is signed in, and as what in which business: a browser by its cookie, a program by the sign-in that its access
-- token names. A platform administrator without a membership in the business (or in none) gets no tenant; everybody else
-- then is nobody. Its use is noted, once a minute at most.
CREATE FUNCTION gate.resume_login(given_token_hash text, given_login uuid DEFAULT NULL)
RETURNS TABLE (user_id uuid, user_name text, user_email text, locale text, tenant_id uuid, tenant_name text,
               tenant_locale text, role text, reach text, runs_platform boolean, memberships jsonb, login_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE login_session s SET used_at = now()
     WHERE (s.token_hash = given_token_hash OR s.id = given_login) AND s.used_at < now() - interval '1 minute';
    -- A page of the person's is open: noted as seldom.
    UPDATE membership m SET seen_at = now() FROM login_session s
     WHERE s.token_hash = given_token_hash AND s.expires_at > now()
       AND m.user_id = s.user_id AND m.tenant_id = s.active_tenant_id
       AND (m.seen_at IS NULL OR m.seen_at < now() - interval '1 minute');
    SELECT u.id, u.name, u.email, u.locale, t.id, t.name, t.locale, m.role, m.reach, u.runs_platform,
           (SELECT jsonb_agg(jsonb_build_object('tenant_id', o.id, 'name', o.name, 'role', om.role) ORDER BY o.name)
              FROM membership om JOIN tenant o ON o.id = om.tenant_id AND o.closed_at IS NULL
              WHERE om.user_id = u.id),
           s.id
      FROM login_session s
      JOIN user_account u ON u.id = s.user_id
      LEFT JOIN (membership m JOIN tenant o ON o.id = m.tenant_id AND o.closed_at IS NULL)
             ON m.user_id = u.id AND m.tenant_id = s.active_tenant_id
      LEFT JOIN tenant t ON t.id = m.tenant_id
     WHERE (s.token_hash = given_token_hash AND s.kind = 'browser' OR s.id = given_login AND s.kind = 'program')
       AND s.expires_at > now() AND (m.id IS NOT NULL OR u.runs_platform)
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

-- One-time links. ``is_new``: nobody has this e-mail yet, so the link sets a password; else its owner's own is asked for.
CREATE FUNCTION gate.find_invitation(given_hash text)
RETURNS TABLE (email text, name text, tenant_name text, tenant_locale text, is_new boolean, sets_password boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.email, i.name, t.name, t.locale,
           NOT EXISTS (SELECT 1 FROM user_account u WHERE u.email = i.email), i.user_id IS NOT NULL
      FROM invitation i JOIN tenant t ON t.id = i.tenant_id AND t.closed_at IS NULL
     WHERE i.token_hash = given_hash AND i.ended_at IS NULL AND i.expires_at > now()
$$;

-- Use a link once. ``new_hash``: of the password to set. NULL for somebody who has a login, whose password the caller has
-- checked; nobody's password but a new person's, or one's who works for this tenant alone, is ever set by a link.
CREATE FUNCTION gate.use_invitation(given_hash text, new_name text, new_hash text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    link invitation;
    person uuid;
BEGIN
    UPDATE invitation SET ended_at = now()
     WHERE token_hash = given_hash AND ended_at IS NULL AND expires_at > now()
       AND EXISTS (SELECT 1 FROM tenant t WHERE t.id = invitation.tenant_id AND t.closed_at IS NULL)
    RETURNING * INTO link;
    IF link.id IS NULL THEN
        RETURN false;
    END IF;
    IF link.user_id IS NOT NULL THEN
        UPDATE user_account u SET password_hash = new_hash
         WHERE u.id = link.user_id AND new_hash IS NOT NULL AND NOT u.runs_platform
           AND NOT EXISTS (SELECT 1 FROM membership m WHERE m.user_id = u.id AND m.tenant_id <> link.tenant_id)
        RETURNING u.id INTO person;
        IF person IS NULL THEN
            RAISE EXCEPTION 'this link may set no password' USING ERRCODE = 'insufficient_privilege';
        END IF;
        DELETE FROM login_session WHERE user_id = person;
        INSERT INTO event (tenant_id, kind, payload, actor)
        VALUES (link.tenant_id, 'person.password_set', jsonb_build_object('user_id', person, 'email', link.email),
                'user:' || person);
        RETURN true;
    END IF;
    SELECT u.id INTO person FROM user_account u WHERE u.email = link.email;
    IF person IS NULL THEN
        INSERT INTO user_account (email, name, password_hash) VALUES (link.email, new_name, new_hash)
        RETURNING id INTO person;
    ELSIF new_hash IS NOT NULL THEN
        RAISE EXCEPTION 'this link may set no password' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO membership (tenant_id, user_id, role, reach) VALUES (link.tenant_id, person, link.role, link.reach)
    ON CONFLICT (tenant_id, user_id) DO NOTHING;
    INSERT INTO team_member (tenant_id, team_id, user_id)
    SELECT link.tenant_id, t.id, person FROM team t
     WHERE t.tenant_id = link.tenant_id AND link.teams ? t.id::text
    ON CONFLICT DO NOTHING;
    INSERT INTO event (tenant_id, kind, payload, actor)
    VALUES (link.tenant_id, 'person.joined',
            jsonb_build_object('user_id', person, 'name', new_name, 'email', link.email, 'role', link.role),
            'user:' || person);
    RETURN true;
END $$;

-- For the audit trail of every tenant that the person works for: somebody failed to sign in.
CREATE FUNCTION gate.note_failed_sign_in(for_email text, from_address text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO event (tenant_id, kind, payload, actor)
    SELECT m.tenant_id, 'login.failed', jsonb_build_object('email', u.email, 'address', from_address), 'user:' || u.id
      FROM user_account u JOIN membership m ON m.user_id = u.id WHERE u.email = lower(for_email)
$$;

-- What the platform's administrators do. Figures, never content: a tenant's own data need a membership.
CREATE FUNCTION gate.platform_tenants(administrator uuid)
RETURNS TABLE (id uuid, slug text, name text, locale text, timezone text, created_at timestamptz, closed_at timestamptz,
               people bigint, numbers bigint, connected bigint, conversations bigint, waiting bigint,
               last_message_at timestamptz, tokens bigint, cost_micros bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.id, t.slug, t.name, t.locale, t.timezone, t.created_at, t.closed_at,
           (SELECT count(*) FROM membership m WHERE m.tenant_id = t.id), n.numbers, n.connected,
           c.conversations, c.waiting, c.last, s.tokens, s.cost_micros
      FROM tenant t
     CROSS JOIN LATERAL (SELECT count(*) AS numbers, count(*) FILTER (WHERE x.status = 'connected') AS connected
                           FROM channel_session x WHERE x.tenant_id = t.id) n
     CROSS JOIN LATERAL (SELECT count(*) AS conversations, count(*) FILTER (WHERE x.status = 'waiting') AS waiting,
                                max(x.last_message_at) AS last
                           FROM conversation x WHERE x.tenant_id = t.id) c
     CROSS JOIN LATERAL (SELECT coalesce(sum(x.tokens), 0)::bigint AS tokens,
                                coalesce(sum(x.cost_micros), 0)::bigint AS cost_micros
                           FROM model_spending x WHERE x.tenant_id = t.id AND x.span = 'month'
                            AND x.key = to_char(now() AT TIME ZONE t.timezone, 'YYYY-MM')) s
     WHERE EXISTS (SELECT 1 FROM user_account u WHERE u.id = administrator AND u.runs_platform)
     ORDER BY t.closed_at IS NOT NULL, t.name
$$;

-- A new tenant with a link for its first administrator; NULL: the short name is taken, or the caller may not.
CREATE FUNCTION gate.found_tenant(administrator uuid, new_slug text, new_name text, new_locale text, new_timezone text,
                                  new_settings jsonb, first_email text, first_name text, first_hash text,
                                  valid_for interval)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made uuid;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM user_account u WHERE u.id = administrator AND u.runs_platform) THEN
        RETURN NULL;
    END IF;
    INSERT INTO tenant (slug, name, locale, timezone, settings)
    VALUES (new_slug, new_name, new_locale, new_timezone, new_settings)
    ON CONFLICT (slug) DO NOTHING RETURNING id INTO made;
    IF made IS NOT NULL THEN
        INSERT INTO invitation (tenant_id, token_hash, email, name, role, created_by, expires_at)
        VALUES (made, first_hash, lower(first_email), first_name, 'admin', 'platform', now() + valid_for);
        INSERT INTO event (tenant_id, kind, payload, actor)
        VALUES (made, 'tenant.founded', jsonb_build_object('name', new_name, 'slug', new_slug), 'user:' || administrator);
    END IF;
    RETURN made;
END $$;

-- Close a tenant, or open it again: whether there is one and the caller may. Its sign-ins end at once.
CREATE FUNCTION gate.close_tenant(administrator uuid, which uuid, closed boolean)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM user_account u WHERE u.id = administrator AND u.runs_platform) THEN
        RETURN false;
    END IF;
    UPDATE tenant SET closed_at = CASE WHEN closed THEN now() END,
                      profile_version = profile_version + 1
     WHERE id = which AND (closed_at IS NOT NULL) <> closed;
    IF FOUND THEN
        INSERT INTO event (tenant_id, kind, actor)
        VALUES (which, CASE WHEN closed THEN 'tenant.closed' ELSE 'tenant.reopened' END, 'user:' || administrator);
    END IF;
    RETURN EXISTS (SELECT 1 FROM tenant t WHERE t.id = which);
END $$;

-- Tasks whose time has come and of which nobody was reminded.
CREATE FUNCTION gate.due_tasks(at_most integer)
RETURNS TABLE (tenant_id uuid, task_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.tenant_id, k.id FROM task k
     WHERE k.done_at IS NULL AND k.told_at IS NULL AND k.due_at <= now() ORDER BY k.due_at LIMIT at_most
$$;

-- Numbers whose messages are accepted and reach no device, though devices did report before: see flows.undelivered.
CREATE FUNCTION gate.numbers_reaching_nobody(overdue interval, watched interval, fewest_chats integer)
RETURNS TABLE (tenant_id uuid, session_id uuid, name text, messages bigint, chats bigint, last_reached timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH accepted AS (
        SELECT o.channel_session_id AS session_id, count(*) AS messages, count(DISTINCT o.conversation_id) AS chats
          FROM outbox_message o
         WHERE o.queued_at > now() - watched AND o.sent_at < now() - overdue AND o.state = 'sent'
         GROUP BY 1
        HAVING bool_and(o.ack IS NULL OR o.ack = 'server') AND count(DISTINCT o.conversation_id) >= fewest_chats
    )
    SELECT s.tenant_id, s.id, s.name, a.messages, a.chats, reached.sent_at
      FROM accepted a JOIN channel_session s ON s.id = a.session_id AND s.status = 'connected'
      CROSS JOIN LATERAL (SELECT o.sent_at FROM outbox_message o
                           WHERE o.channel_session_id = s.id AND o.queued_at > now() - interval '30 days'
                             AND o.ack IN ('device', 'read', 'played') ORDER BY o.sent_at DESC LIMIT 1) reached
     WHERE reached.sent_at < now() - watched
$$;

-- Programs of a tenant's own: whose key is it, and what may it do? Its use is noted, once a minute at most.
CREATE FUNCTION gate.use_api_key(given_hash text)
RETURNS TABLE (key_id uuid, tenant_id uuid, name text, scopes jsonb)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE api_key SET last_used_at = now()
     WHERE key_hash = given_hash AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
       AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');
    SELECT k.id, k.tenant_id, k.name, k.scopes FROM api_key k JOIN tenant t ON t.id = k.tenant_id AND t.closed_at IS NULL
     WHERE k.key_hash = given_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;

-- The first run: whether anybody could sign in at all, and the one beginning that this allows ----------------------
CREATE FUNCTION gate.is_empty()
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT NOT EXISTS (SELECT 1 FROM user_account) AND NOT EXISTS (SELECT 1 FROM tenant)
$$;

-- The first account with the first tenant, in one step; nothing (no row) where there is any already.
CREATE FUNCTION gate.begin(person jsonb, business jsonb)
RETURNS TABLE (tenant_id uuid, user_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made_tenant uuid;
    made_user uuid;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('create tenant'));  -- two at once: the second finds the first one's account
    IF NOT gate.is_empty() THEN
        RETURN;
    END IF;
    INSERT INTO tenant (slug, name, locale, timezone, settings)
    VALUES (business ->> 'slug', business ->> 'name', business ->> 'locale', business ->> 'timezone',
            business -> 'settings')
    RETURNING id INTO made_tenant;
    INSERT INTO user_account (email, name, password_hash, locale, runs_platform)
    VALUES (lower(person ->> 'email'), person ->> 'name', person ->> 'password_hash', person ->> 'locale', true)
    RETURNING id INTO made_user;
    INSERT INTO membership (tenant_id, user_id, role) VALUES (made_tenant, made_user, 'admin');
    RETURN QUERY SELECT made_tenant, made_user;
END $$;

-- Administration from the command line (not granted to atende_app) ---------------------------------------------
CREATE FUNCTION gate.put_tenant(new_slug text, new_name text, new_locale text, new_timezone text)
RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO tenant (slug, name, locale, timezone) VALUES (new_slug, new_name, new_locale, new_timezone)
    ON CONFLICT (slug) DO UPDATE SET name = excluded.name, locale = excluded.locale,
        timezone = coalesce(tenant.settings #>> '{set_by_hand,timezone}', excluded.timezone)
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

-- What the agent knows of these tenants, as of now: processes that keep it compare.
CREATE FUNCTION gate.profile_versions(of_tenants uuid[])
RETURNS TABLE (tenant_id uuid, profile_version integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id, t.profile_version FROM tenant t WHERE id = ANY (of_tenants)
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

-- Customers' files that wait to be fetched, of numbers that the caller can ask for them.
CREATE FUNCTION gate.due_media(for_providers text[], for_sessions uuid[], at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid, channel_session_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.id, f.tenant_id, f.channel_session_id
      FROM media_file f JOIN channel_session s ON s.id = f.channel_session_id
     WHERE f.state = 'wanted' AND f.next_attempt_at <= now()
       AND (s.provider = ANY (for_providers) OR s.id = ANY (for_sessions))
     ORDER BY f.next_attempt_at LIMIT at_most
$$;

-- What is asked of numbers whose connection the caller holds. After half a minute nobody waits for an answer any more.
CREATE FUNCTION gate.due_requests(for_sessions uuid[], at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.id, r.tenant_id FROM channel_request r
     WHERE r.state = 'wanted' AND r.channel_session_id = ANY (for_sessions) AND r.created_at > now() - interval '30 s'
     ORDER BY r.created_at LIMIT at_most
$$;

-- A session belongs to one host. Renews what the host has, and takes free or abandoned ones up to its capacity, and no
-- more than its share where there are other hosts: ``hosts`` of its own machine, and those of others that hold any.
-- The host stops what is not in the answer, so it waits for a locked row of its own; only others' are skipped. A lease
-- is renewed when a quarter of it is over. ``alive``: the sessions whose connection has just proved to work. ``holds``:
-- whether it takes those with a device (paired), those without (unpaired), or all.
CREATE FUNCTION gate.lease_sessions(host text, for_provider text, valid_for interval, capacity integer,
                                    hosts integer DEFAULT 1, alive uuid[] DEFAULT '{}', holds text DEFAULT 'all')
RETURNS TABLE (id uuid, tenant_id uuid, account text, config jsonb, name text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH held AS (
        SELECT s.id, s.lease_until < now() + valid_for * 0.75
                     OR (s.id = ANY (alive) AND coalesce(s.alive_at < now() - interval '20 s', true)) AS is_due
          FROM channel_session s
         WHERE s.provider = for_provider AND s.wanted AND s.ended_at IS NULL AND s.lease_owner = host
         ORDER BY s.created_at, s.id LIMIT capacity
           FOR NO KEY UPDATE
    ), share AS (
        SELECT ceil(count(*)::numeric / greatest(1, hosts + count(DISTINCT s.lease_owner) FILTER (
                   WHERE s.lease_until > now()
                     AND split_part(s.lease_owner, '/', 1) <> split_part(host, '/', 1)))) AS most
          FROM channel_session s WHERE s.provider = for_provider AND s.wanted AND s.ended_at IS NULL
    ), free AS (
        SELECT s.id FROM channel_session s
         WHERE s.provider = for_provider AND s.wanted AND s.ended_at IS NULL AND s.lease_owner IS DISTINCT FROM host
           AND (s.lease_until IS NULL OR s.lease_until < now())
           AND (holds = 'all' OR (holds = 'paired') = (s.account IS NOT NULL))
         ORDER BY s.created_at, s.id
         LIMIT greatest(least(capacity, (SELECT most FROM share)) - (SELECT count(*) FROM held), 0)
           FOR NO KEY UPDATE SKIP LOCKED
    ), renewed AS (
        UPDATE channel_session s
           SET lease_owner = host, lease_until = now() + valid_for,
               alive_at = CASE WHEN s.id = ANY (alive) THEN now() ELSE s.alive_at END
         WHERE s.id IN (SELECT h.id FROM held h WHERE h.is_due UNION ALL SELECT f.id FROM free f)
        RETURNING s.id, s.tenant_id, s.account, s.config, s.name, s.restricted_until
    ), mine AS (
        SELECT * FROM renewed
        UNION ALL
        SELECT s.id, s.tenant_id, s.account, s.config, s.name, s.restricted_until
          FROM channel_session s WHERE s.id IN (SELECT h.id FROM held h WHERE NOT h.is_due)
    )
    SELECT m.id, m.tenant_id, m.account,
           CASE WHEN m.restricted_until > now()
                THEN m.config || jsonb_build_object('restricted_until', extract(epoch FROM m.restricted_until))
                ELSE m.config END, m.name
      FROM mine m
$$;

CREATE FUNCTION gate.release_sessions(host text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE channel_session SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = host
$$;

-- A host that has taken a number offline lets a host of another kind have it, which is told at once.
CREATE FUNCTION gate.pass_session_on(host text, session uuid)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE channel_session SET lease_owner = NULL, lease_until = NULL WHERE id = session AND lease_owner = host;
    SELECT pg_notify('atende_number', '');
$$;

-- What people want of a number reaches its host at once. That is rare, so the NOTIFY may stand in the transaction.
CREATE FUNCTION public.tell_hosts() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_temp AS $$
BEGIN
    PERFORM pg_notify('atende_number', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_hosts_of_a_new_number AFTER INSERT ON public.channel_session
    FOR EACH ROW EXECUTE FUNCTION public.tell_hosts();
CREATE TRIGGER tell_hosts_of_a_wish AFTER UPDATE OF wanted, config, ended_at ON public.channel_session FOR EACH ROW
    WHEN (OLD.wanted IS DISTINCT FROM NEW.wanted OR OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL
          OR OLD.config -> 'pairing' IS DISTINCT FROM NEW.config -> 'pairing')
    EXECUTE FUNCTION public.tell_hosts();

-- What people want done at once to the numbers that this host holds.
CREATE FUNCTION gate.session_requests(host text)
RETURNS TABLE (id uuid, tenant_id uuid, channel_session_id uuid, kind text, argument jsonb, actor text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.id, r.tenant_id, r.channel_session_id, r.kind, r.argument, r.actor
      FROM session_request r JOIN channel_session s ON s.id = r.channel_session_id
     WHERE r.state = 'waiting' AND s.lease_owner = host AND s.lease_until > now()
     ORDER BY r.created_at, r.id LIMIT 100
$$;

-- Delivery -----------------------------------------------------------------------------------------------------
-- The first waiting message of each conversation, of numbers that the caller can send for. A worker sends what its own
-- turns decided at once, without asking here; others step in only after a while, or they would all race for each row.
CREATE FUNCTION gate.due_outbox(for_providers text[], for_sessions uuid[], patience interval, at_most integer)
RETURNS TABLE (outbox_id uuid, tenant_id uuid, conversation_id uuid, channel_session_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.tenant_id, o.conversation_id, o.channel_session_id
      FROM outbox_message o JOIN channel_session s ON s.id = o.channel_session_id
     WHERE o.state = 'queued' AND o.not_before <= now()
       AND (s.status <> 'restricted' -- WhatsApp limits new chats: who never wrote to us waits
            OR EXISTS (SELECT 1 FROM conversation c WHERE c.id = o.conversation_id AND c.last_inbound_id > 0)
            OR EXISTS (SELECT 1 FROM message w WHERE w.conversation_id = o.conversation_id AND w.author = 'contact'))
       AND (s.id = ANY (for_sessions)
            OR (s.provider = ANY (for_providers)
                AND (o.origin <> 'bot' OR o.attempts > 0 OR o.queued_at <= now() - patience)))
       AND NOT EXISTS (SELECT 1 FROM outbox_message e
                        WHERE e.conversation_id = o.conversation_id
                          AND (e.state = 'sending' OR (e.state = 'queued' AND e.message_id < o.message_id)))
     ORDER BY (NOT o.urgent), o.message_id LIMIT at_most
$$;

CREATE FUNCTION gate.overdue_sending()
RETURNS TABLE (outbox_id uuid, tenant_id uuid, conversation_id uuid, channel_session_id uuid, provider text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.tenant_id, o.conversation_id, o.channel_session_id, s.provider
      FROM outbox_message o JOIN channel_session s ON s.id = o.channel_session_id
     WHERE o.state = 'sending' AND o.sending_until < now()
$$;

-- Own messages whose origin (ours, or a person on the phone) could not be told when they came.
-- Receipts that came before their message was recorded: those whose message is known by now, and the hopelessly old. Most
-- are of messages that somebody typed on the phone; they must not stand in the way of the others.
CREATE FUNCTION gate.held_events(of_kind text, older_than interval, at_most integer)
RETURNS TABLE (id bigint, tenant_id uuid, channel_session_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT h.id, h.tenant_id, h.channel_session_id FROM held_event h
     WHERE h.kind = of_kind AND h.created_at < now() - older_than
       AND (h.kind <> 'receipt' OR h.created_at < now() - interval '24 hours'
            OR EXISTS (SELECT 1 FROM outbox_message o
                        WHERE o.channel_session_id = h.channel_session_id AND o.provider_id = h.key)
            OR EXISTS (SELECT 1 FROM outbox_alias a
                        WHERE a.channel_session_id = h.channel_session_id AND a.provider_id = h.key))
     ORDER BY h.id LIMIT at_most
$$;

-- Tenants in which something may have waited too long at the desk: a conversation nobody claimed, a suggestion nobody
-- judged. How long is too long, each tenant says for itself.
CREATE FUNCTION gate.tenants_at_the_desk(older_than interval)
RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id FROM conversation c WHERE c.status = 'waiting'
    UNION
    SELECT c.tenant_id FROM conversation c WHERE c.resumes_at <= now()
    UNION
    SELECT c.tenant_id FROM conversation c WHERE c.snoozed_until <= now()
    UNION
    SELECT s.tenant_id FROM suggestion s WHERE s.status = 'pending' AND s.created_at < now() - older_than
$$;

-- Tenants in which conversations wait that are assigned by turns.
CREATE FUNCTION gate.tenants_to_assign()
RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT c.tenant_id FROM conversation c
      JOIN tenant t ON t.id = c.tenant_id LEFT JOIN team q ON q.id = c.team_id
     WHERE c.status = 'waiting' AND c.status IN ('waiting', 'human')
       AND (c.snoozed_until IS NULL OR c.snoozed_until <= now())
       AND coalesce(q.assignment, t.settings ->> 'assignment') = 'round_robin'
$$;

-- Tenants in which a worker has something to put in order: people who are gone with conversations, conversations that
-- went quiet, closed ones whose contact may be asked, episodes whose answers can be written down.
CREATE FUNCTION gate.tenants_to_tidy(absent_after interval, quiet_after interval)
RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id FROM conversation c
      JOIN membership m ON m.user_id = c.assignee_id AND m.tenant_id = c.tenant_id
      JOIN tenant t ON t.id = c.tenant_id
     WHERE c.status = 'human' AND c.last_inbound_id > c.answered_upto_id
       AND (m.away_at IS NOT NULL
            OR m.seen_at < now() - coalesce(make_interval(
                mins => (t.settings -> 'presence' ->> 'absent_after_minutes')::integer), absent_after))
    UNION
    SELECT t.id FROM tenant t
     WHERE EXISTS (SELECT 1 FROM conversation c
                    WHERE c.tenant_id = t.id AND (c.status = 'closed') IS FALSE AND c.status = 'bot' AND c.last_inbound_id > 0
                      AND c.last_message_at < now() - coalesce(
                          make_interval(mins => (t.settings -> 'closing' ->> 'quiet_minutes')::integer), quiet_after))
    UNION
    SELECT e.tenant_id FROM conversation_episode e
     WHERE NOT e.settled AND e.closed_at < now() - interval '10 minutes'
    UNION
    SELECT t.id FROM tenant t
     WHERE t.settings -> 'satisfaction' ->> 'ask' = 'true'
       AND EXISTS (SELECT 1 FROM conversation_episode e
                     , coalesce(make_interval(mins => (t.settings -> 'satisfaction' ->> 'after_minutes')::integer),
                                interval '1 minute') AS later
                    WHERE e.tenant_id = t.id AND e.closed_at > now() - later - interval '1 hour'
                      AND e.closed_at < now() - later)
$$;

-- Events -------------------------------------------------------------------------------------------------------
-- In the order of ids. ``upto``: an id up to which nothing can come any more (store/event_order.py).
CREATE FUNCTION gate.events_after(cursor_id bigint, upto bigint, at_most integer)
RETURNS TABLE (id bigint, tenant_id uuid, conversation_id uuid, kind text, payload jsonb, actor text,
               created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.id, e.tenant_id, e.conversation_id, e.kind, e.payload, e.actor, e.created_at
      FROM event e WHERE e.id > cursor_id AND e.id <= upto ORDER BY e.id LIMIT at_most
$$;

-- The end of the unbroken run of ids after one, the newest id there is, and the oldest transaction that is still open.
CREATE FUNCTION gate.event_horizon(after_id bigint)
RETURNS TABLE (unbroken bigint, newest bigint, oldest_open bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT max(run.id)
                       FROM (SELECT e.id, row_number() OVER (ORDER BY e.id) AS n
                               FROM (SELECT id FROM event WHERE id > after_id ORDER BY id LIMIT 2000) e) run
                      WHERE run.id = after_id + run.n), after_id),
           coalesce((SELECT max(id) FROM event), 0),
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint
$$;

-- A transaction id of its own, larger than that of any transaction which has written something by now.
CREATE FUNCTION gate.transaction_now() RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT pg_current_xact_id()::text::bigint
$$;

-- The last event of more than ten minutes ago: nobody who is still writing drew an id before it.
CREATE FUNCTION gate.old_event_id()
RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT id FROM event WHERE created_at < now() - interval '10 minutes' ORDER BY id DESC LIMIT 1), 0)
$$;

CREATE FUNCTION gate.last_event_id()
RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(max(id), 0) FROM event WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
$$;

-- Webhooks out: endpoints with events to come, and deliveries that are due. Within a conversation the first attempts go
-- in order; one that failed stands aside, and its sequence number tells the receiver.
CREATE FUNCTION gate.webhooks_behind(upto bigint)
RETURNS TABLE (tenant_id uuid, endpoint_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT w.tenant_id, w.id FROM webhook_endpoint w
     WHERE w.state = 'active' AND EXISTS (SELECT 1 FROM tenant t WHERE t.id = w.tenant_id AND t.closed_at IS NULL)
       AND EXISTS (SELECT 1 FROM event e WHERE e.tenant_id = w.tenant_id AND e.id > w.cursor_id AND e.id <= upto)
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

-- Rows of two to four kilobytes stay in one piece and uncompressed: a search looks at the words of hundreds.
ALTER TABLE knowledge_chunk SET (toast_tuple_target = 4080);

-- Knowledge ----------------------------------------------------------------------------------------------------
-- Documents of which some chunk has no vector of this encoder. Two ranges instead of <>, so that an index finds them.
CREATE FUNCTION gate.due_knowledge(with_encoder text, at_most integer)
RETURNS TABLE (tenant_id uuid, document_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.tenant_id, d.id FROM knowledge_document d
     WHERE (d.indexed_with < with_encoder OR d.indexed_with > with_encoder) AND d.next_attempt_at <= now()
     ORDER BY d.next_attempt_at LIMIT at_most
$$;

-- Evaluation ---------------------------------------------------------------------------------------------------
-- Proposed cases that have not been played yet as they are now.
CREATE FUNCTION gate.due_eval_cases(at_most integer)
RETURNS TABLE (tenant_id uuid, case_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.tenant_id, e.id FROM eval_case e
     WHERE e.state = 'proposed' AND e.reproduction = 'waiting' AND e.due_at <= now()
     ORDER BY e.due_at LIMIT at_most
$$;

-- The chunks of the transaction's own tenant that hold most of the words, by weight. Here because no index answers @@
-- under row-level security: the operator is not leakproof, so the policy would have to look at every row first. The
-- index is shared, the words in it are not: each stands behind the first digits of its tenant's id.
-- PL/pgSQL, because planning it costs as much as running it, and that keeps the plan.
CREATE FUNCTION gate.knowledge_by_words(asked text[], weights real[], at_most integer)
RETURNS TABLE (chunk_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT quote_literal(left(current_tenant()::text, 8) || ':' || w.word)::tsquery AS word, w.weight
          FROM unnest(asked, weights) AS w (word, weight)
    )
    SELECT c.id FROM knowledge_chunk c
     WHERE c.words @@ (SELECT string_agg(word::text, ' | ')::tsquery FROM wanted)
       AND (c.tenant_id = (SELECT current_tenant())) IS TRUE -- so put, no index offers itself for it instead
     ORDER BY (SELECT sum(w.weight) FROM wanted w WHERE c.words @@ w.word) DESC,
              (SELECT d.ref FROM knowledge_document d WHERE d.id = c.document_id) COLLATE "C", c.ordinal LIMIT at_most;
END
$$;

-- The inbox's search (store/search.py), here for the same reason. All answer about the transaction's own tenant only.
-- ``asked``: beginnings of words. What an index found, or need not be asked for, is looked at by plain_letters(…) LIKE: who has
-- a word has its letters, and that costs a tenth of taking a text to its words. Parallel workers take longer to start
-- than all of it takes.
--
-- Conversations whose contact is called all of this, or has these digits in a telephone number; the latest first. Of a
-- name with digits (``figures``) those may be of the number.
CREATE FUNCTION gate.conversations_by_contact(asked text[], figures text[], digits text[], before timestamptz,
                                              before_id uuid, at_most integer)
RETURNS TABLE (conversation_id uuid, last_message_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    mark text := 't' || left(current_tenant()::text, 8) || 'w';
    named tsquery := (SELECT string_agg(quote_literal(mark || a.word) || ':*', ' & ')::tsquery
                        FROM unnest(asked || figures) AS a (word));
    lettered tsquery := (SELECT string_agg(quote_literal(mark || a.word) || ':*', ' & ')::tsquery
                           FROM unnest(asked) AS a (word));
    numbered tsquery := (SELECT string_agg(quote_literal(mark || d.run) || ':*', ' | ')::tsquery
                           FROM unnest(digits) AS d (run));
    letters text[] := ARRAY(SELECT '%' || a.word || '%' FROM unnest(asked || figures) AS a (word));
    runs text[] := ARRAY(SELECT '%' || d.run || '%' FROM unnest(digits) AS d (run));
    found integer := 0;
BEGIN
    -- Where thousands are meant (the digits of a region, a first letter), the latest conversations show enough of them,
    -- and looking at those costs less than putting all of them in order.
    IF 3000 < (SELECT count(*) FROM (SELECT 1 FROM contact p
                                      WHERE tenant_words(p.tenant_id, (coalesce(p.name, '') || ' ')
                                                                      || coalesce(p.push_name, '')) @@ named
                                      LIMIT 3001) x)
       OR 3000 < (SELECT count(*) FROM (SELECT 1 FROM contact_address a
                                         WHERE address_words(a.tenant_id, a.kind, a.value) @@ numbered
                                         LIMIT 3001) x) THEN
        RETURN QUERY
        SELECT n.id, n.last_message_at FROM (
            SELECT * FROM (
                (SELECT c.id, c.contact_id, c.last_message_at FROM conversation c
                  WHERE c.tenant_id = (SELECT current_tenant()) AND (c.status = 'closed') = false
                    AND (before IS NULL OR (c.last_message_at, c.id) < (before, before_id))
                  ORDER BY c.last_message_at DESC, c.id DESC LIMIT 3000)
                UNION ALL
                (SELECT c.id, c.contact_id, c.last_message_at FROM conversation c
                  WHERE c.tenant_id = (SELECT current_tenant()) AND (c.status = 'closed') = true
                    AND (before IS NULL OR (c.last_message_at, c.id) < (before, before_id))
                  ORDER BY c.last_message_at DESC, c.id DESC LIMIT 3000)) both_kinds
             ORDER BY 3 DESC, 1 DESC LIMIT 3000) n
         WHERE EXISTS (SELECT 1 FROM contact p
                        WHERE p.id = n.contact_id
                          AND plain_letters((coalesce(p.name, '') || ' ') || coalesce(p.push_name, '')) LIKE ALL (letters)
                          AND (tenant_words(p.tenant_id, (coalesce(p.name, '') || ' ') || coalesce(p.push_name, ''))
                                   @@ named) IS TRUE)
            OR EXISTS (SELECT 1 FROM contact_address a
                        WHERE a.contact_id = n.contact_id
                          AND (a.kind = 'phone' AND a.value LIKE ANY (runs) AND a.value ~ '^[0-9]{4,20}$'
                               OR a.kind = 'simulator'
                                  AND (address_words(a.tenant_id, a.kind, a.value)
                                           @@ coalesce(numbered || named, numbered, named)) IS TRUE))
         ORDER BY n.last_message_at DESC, n.id DESC LIMIT at_most;
        GET DIAGNOSTICS found = ROW_COUNT;
    END IF;
    IF found < at_most THEN
        RETURN QUERY
        WITH meant AS (
            SELECT p.id FROM contact p
             WHERE tenant_words(p.tenant_id, (coalesce(p.name, '') || ' ') || coalesce(p.push_name, '')) @@ named
            UNION
            SELECT a.contact_id FROM contact_address a
             WHERE address_words(a.tenant_id, a.kind, a.value) @@ coalesce(numbered || named, numbered, named)
            UNION
            SELECT p.id FROM contact p
             WHERE tenant_words(p.tenant_id, (coalesce(p.name, '') || ' ') || coalesce(p.push_name, '')) @@ lettered
               AND NOT EXISTS (
                   SELECT 1 FROM unnest(figures) AS g (figure)
                    WHERE NOT EXISTS (SELECT 1 FROM contact_address a
                                       WHERE a.contact_id = p.id AND a.kind = 'phone' AND a.value ~ '^[0-9]{4,20}$'
                                         AND a.value LIKE '%' || g.figure || '%'))
               AND figures <> '{}')
        SELECT c.id, c.last_message_at FROM conversation c
         WHERE c.contact_id IN (SELECT m.id FROM meant m)
           AND (c.tenant_id = (SELECT current_tenant())) IS TRUE
           AND (before IS NULL OR (c.last_message_at, c.id) < (before, before_id))
         ORDER BY c.last_message_at DESC, c.id DESC OFFSET found LIMIT at_most - found;
    END IF;
END
$$;

-- Which contacts are called by one of these words (``asked``; of several in one place all must be in a name), or have it
-- in a telephone number, where it is four digits or more: of each place, counted from 1, up to ``at_most`` contacts.
CREATE FUNCTION gate.contacts_by_word(asked text[], at_most integer)
RETURNS TABLE (place integer, contact_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    mark text := 't' || left(current_tenant()::text, 8) || 'w';
    wanted tsquery;
BEGIN
    FOR n IN 1 .. cardinality(asked) LOOP
        place := n;
        wanted := (SELECT string_agg(quote_literal(mark || w.word) || ':*', ' & ')::tsquery
                     FROM unnest(string_to_array(asked[place], ' ')) AS w (word));
        FOR contact_id IN
            (SELECT p.id FROM contact p
              WHERE tenant_words(p.tenant_id, (coalesce(p.name, '') || ' ') || coalesce(p.push_name, '')) @@ wanted
                AND (p.tenant_id = (SELECT current_tenant())) IS TRUE LIMIT at_most)
            UNION
            (SELECT a.contact_id FROM contact_address a
              WHERE address_words(a.tenant_id, a.kind, a.value) @@ wanted
                AND (a.kind <> 'phone' OR asked[place] ~ '^[0-9]{4,}$') IS TRUE
                AND (a.tenant_id = (SELECT current_tenant())) IS TRUE LIMIT at_most)
            LIMIT at_most
        LOOP
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;

-- Messages of these contacts that may hold what is missing in their names, the newest first and below ``below``:
-- ``lacking`` are the words, as patterns, of the contact in the same place, separated by spaces, and ``wide`` all of them.
-- About ``looks`` messages are looked at, each contact's newest; all down to ``looked_upto`` were (0: there are no more).
CREATE FUNCTION gate.messages_of_contacts(contacts uuid[], lacking text[], wide text[], below bigint, looks integer)
RETURNS TABLE (message_id bigint, looked_upto bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    changed bigint[] := ARRAY(
        SELECT m.id FROM message_change x
          JOIN message m ON m.channel_session_id = x.channel_session_id AND m.provider_id = x.provider_id
                        AND m.contact_id = x.contact_id
         WHERE x.kind IN ('edit', 'transcript')
           AND tenant_words(x.tenant_id, coalesce(x.content ->> 'text', ''))
               @@ (SELECT string_agg(quote_literal('t' || left(current_tenant()::text, 8) || 'w' || a.word) || ':*',
                                     ' | ')::tsquery
                     FROM unnest(wide) AS a (word))
           AND (x.tenant_id = (SELECT current_tenant())) IS TRUE AND x.contact_id = ANY (contacts)
         ORDER BY x.id DESC LIMIT 1000);
BEGIN
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT c.id AS conversation_id, string_to_array(w.lacking, ' ') AS patterns
          FROM unnest(contacts, lacking) AS w (contact_id, lacking)
          JOIN conversation c ON c.contact_id = w.contact_id
         WHERE (c.tenant_id = (SELECT current_tenant())) IS TRUE
    ), share AS MATERIALIZED (
        SELECT greatest(looks / greatest(count(*), 1), 5)::integer AS each FROM wanted
    ), newest AS MATERIALIZED (
        SELECT w.patterns, m.id, m.text, m.place
          FROM wanted w
          CROSS JOIN LATERAL (
              SELECT x.id, x.text, row_number() OVER (ORDER BY x.id DESC) AS place FROM message x
               WHERE x.conversation_id = w.conversation_id AND x.id < below
               ORDER BY x.id DESC LIMIT (SELECT s.each FROM share s)) m
    ), floor AS MATERIALIZED (
        SELECT coalesce(max(n.id), 0) AS id FROM newest n WHERE n.place = (SELECT s.each FROM share s)
    )
    SELECT n.id, f.id FROM newest n CROSS JOIN floor f
     WHERE n.id >= f.id AND CASE WHEN n.id = ANY (changed) THEN true ELSE plain_letters(n.text) LIKE ALL (n.patterns) END
    UNION ALL SELECT NULL, f.id FROM floor f
     ORDER BY 1 DESC NULLS LAST;
END
$$;

-- Messages with these words, also as they were edited or heard, the newest first and below ``below``. A common word is
-- found among the newest ids; the rarer it is, the further back each step looks. The index is asked for the three
-- longest words only: it reads all that is there of each.
CREATE FUNCTION gate.messages_by_words(asked text[], below bigint, at_most integer)
RETURNS TABLE (message_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    mark text := 't' || left(current_tenant()::text, 8);
    indexed text[] := ARRAY(SELECT a.word FROM unnest(asked) AS a (word) ORDER BY length(a.word) DESC, 1 LIMIT 3);
    others text[] := ARRAY(SELECT '%' || a.word || '%' FROM unnest(asked) AS a (word) WHERE a.word <> ALL (indexed));
    changed bigint[] := ARRAY(
        SELECT m.id FROM message_change x
          JOIN message m ON m.channel_session_id = x.channel_session_id AND m.provider_id = x.provider_id
                        AND m.contact_id = x.contact_id
         WHERE x.kind IN ('edit', 'transcript')
           AND tenant_words(x.tenant_id, coalesce(x.content ->> 'text', ''))
               @@ (SELECT string_agg(quote_literal(mark || 'w' || a.word) || ':*', ' & ')::tsquery
                     FROM unnest(asked) AS a (word))
           AND (x.tenant_id = (SELECT current_tenant())) IS TRUE
         ORDER BY x.id DESC LIMIT 1000);
    upto bigint := least((SELECT max(m.id) FROM message m), below - 1);
    -- The first step ends with the ids that share a mark with the newest.
    since bigint := (upto >> 15) << 15;
    width integer := 1;
    found integer := 0;
    added integer;
    wanted tsquery;
BEGIN
    WHILE upto >= 0 AND found < at_most LOOP
        SELECT string_agg('(' || one.step || ')', ' | ')::tsquery INTO wanted
          FROM (SELECT string_agg(quote_literal(mark || 'b' || to_hex(b.bucket) || 'w' || a.word) || ':*', ' & ') AS step
                  FROM generate_series(since >> 15, upto >> 15) AS b (bucket), unnest(indexed) AS a (word)
                 GROUP BY b.bucket) one;
        RETURN QUERY
        SELECT f.id FROM (
            SELECT m.id FROM message m
             WHERE message_words(m.tenant_id, m.id, m.text) @@ wanted
               AND CASE WHEN others = '{}' THEN true ELSE plain_letters(m.text) LIKE ALL (others) END
               AND (m.tenant_id = (SELECT current_tenant())) IS TRUE
               AND (m.id BETWEEN since AND upto) IS TRUE
            UNION SELECT x.id FROM unnest(changed) AS x (id) WHERE x.id BETWEEN since AND upto) f
         ORDER BY f.id DESC LIMIT at_most - found;
        GET DIAGNOSTICS added = ROW_COUNT;
        found := found + added;
        upto := since - 1;
        width := width * 2;
        since := greatest(since - (width::bigint << 15), 0);
    END LOOP;
END
$$;

-- Of these messages those that hold each of ``wide`` (beginnings), but for what the name or number of their contact holds
-- of ``asked`` in the same place; something it must hold. The names come first: few have any of the words.
CREATE FUNCTION gate.messages_with_names(ids bigint[], wide text[], asked text[])
RETURNS TABLE (message_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    patterns text[] := ARRAY(SELECT '%' || a.word || '%' FROM unnest(asked) AS a (word));
    has_figures boolean := EXISTS (SELECT 1 FROM unnest(asked) AS a (word) WHERE a.word ~ '^[0-9]{4,}$');
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT m.id, m.contact_id, m.text, m.channel_session_id, m.provider_id FROM message m
         WHERE m.id = ANY (ids) AND (m.tenant_id = (SELECT current_tenant())) IS TRUE
    ), who AS MATERIALIZED (
        SELECT w.id, w.name FROM (
            SELECT p.id, concat_ws(' ', plain_letters((coalesce(p.name, '') || ' ') || coalesce(p.push_name, '')),
                                   (SELECT string_agg(plain_letters(a.value), ' ') FROM contact_address a
                                     WHERE a.contact_id = p.id
                                       AND (a.kind = 'simulator' OR has_figures AND a.kind = 'phone'))) AS name
              FROM contact p WHERE p.id IN (SELECT g.contact_id FROM given g) OFFSET 0) w
         WHERE w.name LIKE ANY (patterns)
    ), said AS MATERIALIZED (
        SELECT g.id, w.name, plain_letters(concat_ws(' ', g.text, (
                   SELECT string_agg(x.content ->> 'text', ' ') FROM message_change x
                    WHERE x.channel_session_id = g.channel_session_id AND x.provider_id = g.provider_id
                      AND x.contact_id = g.contact_id AND x.kind IN ('edit', 'transcript')))) AS text
          FROM given g JOIN who w ON w.id = g.contact_id
    )
    SELECT s.id FROM said s
     WHERE (SELECT bool_and(s.name LIKE '%' || a.word || '%' OR s.text LIKE '%' || a.beginning || '%')
              FROM unnest(wide, asked) AS a (beginning, word))
     ORDER BY 1 DESC;
END
$$;

-- The event log has no foreign key (see busy_tenant_key), so it goes with its tenant here.
CREATE FUNCTION gate.forget_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM event WHERE tenant_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_events AFTER DELETE ON public.tenant FOR EACH ROW EXECUTE FUNCTION gate.forget_events();

-- A contact is erased: what the log tells of it loses its content, but keeps when it was and of which kind.
CREATE FUNCTION gate.forget_in_events(tenant uuid, contact uuid, conversations uuid[], addresses text[])
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE event e
       SET payload = coalesce((SELECT jsonb_object_agg(p.key, p.value) FROM jsonb_each(e.payload) p
                                WHERE p.key IN ('from', 'to', 'status', 'state', 'ack', 'closed_reason')
                                  AND jsonb_typeof(p.value) = 'string'), '{}')
     WHERE e.tenant_id = tenant AND current_setting('app.tenant_id', true) = tenant::text
       AND (e.conversation_id = ANY (conversations) OR e.payload ->> 'contact_id' = contact::text
            OR e.payload ->> 'address' = ANY (addresses)
            OR e.payload ->> 'into' = contact::text OR e.payload ->> 'twin' = contact::text)
$$;

-- The graph's memory of its approvals goes too. It stands in a schema that the application may not enter.
CREATE FUNCTION gate.forget_approvals(tenant uuid, conversations uuid[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    threads text[];
BEGIN
    SELECT array_agg(a.id::text) INTO threads FROM approval a
     WHERE a.tenant_id = tenant AND a.conversation_id = ANY (conversations)
       AND current_setting('app.tenant_id', true) = tenant::text;
    IF threads IS NOT NULL THEN
        DELETE FROM approvals.checkpoints WHERE thread_id = ANY (threads);
        DELETE FROM approvals.checkpoint_blobs WHERE thread_id = ANY (threads);
        DELETE FROM approvals.checkpoint_writes WHERE thread_id = ANY (threads);
    END IF;
END $$;

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
    gate.use_api_key, gate.profile_versions,
    gate.channel_session, gate.channel_sessions, gate.due_media, gate.due_requests, gate.recent_tenants, gate.lease_sessions, gate.pass_session_on, gate.release_sessions, gate.session_requests,
    gate.tenants_at_the_desk, gate.tenants_to_tidy, gate.tenants_to_assign, gate.due_outbox, gate.overdue_sending, gate.held_events, gate.events_after, gate.last_event_id, gate.event_horizon, gate.transaction_now, gate.old_event_id,
    gate.enqueue_turn, gate.delay_turn, gate.enqueue_approval,
    gate.unsettled_approvals, gate.forgotten_conversations, gate.webhooks_behind, gate.due_webhooks,
    gate.due_knowledge, gate.knowledge_by_words, gate.conversations_by_contact, gate.messages_by_words,
    gate.contacts_by_word, gate.messages_of_contacts, gate.messages_with_names,
    gate.due_eval_cases,
    gate.find_invitation, gate.use_invitation, gate.note_failed_sign_in, gate.platform_tenants, gate.found_tenant, gate.close_tenant,
    gate.forget_in_events, gate.forget_approvals,
    gate.due_tasks, gate.numbers_reaching_nobody TO atende_app;
GRANT EXECUTE ON FUNCTION gate.is_empty, gate.begin TO atende_app;
