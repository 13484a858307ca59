-- People's accounts, asked for before or above any tenant: attempts to sign in, the second factor, sign-ins, tokens.
-- Whoever calls these has proven who it is by a cookie, a token or a password; each answers about that one person.

-- How many seconds to wait, 0: try now. Counts the attempt at once, so that many at the same moment are many; one that
-- must wait is not counted. Keys are taken in order, so that two attempts cannot block each other.
CREATE FUNCTION gate.count_attempt(keys text[], limits integer[], spans interval[])
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    one record;
    wait integer := 0;
BEGIN
    DELETE FROM login_attempt a WHERE a.key IN (
        SELECT old.key FROM login_attempt old WHERE old.since < now() - interval '1 day' LIMIT 20 FOR UPDATE SKIP LOCKED);
    FOR one IN SELECT * FROM unnest(keys, limits, spans) AS k (key, most, span) ORDER BY 1 LOOP
        INSERT INTO login_attempt AS a (key, attempts) VALUES (one.key, 0)
        ON CONFLICT (key) DO UPDATE
           SET attempts = CASE WHEN a.since < clock_timestamp() - one.span THEN 0 ELSE a.attempts END,
               since = CASE WHEN a.since < clock_timestamp() - one.span THEN clock_timestamp() ELSE a.since END;
        wait := greatest(wait, (SELECT ceil(extract(epoch FROM a.since + one.span - clock_timestamp()))::integer
                                  FROM login_attempt a WHERE a.key = one.key AND a.attempts >= one.most));
    END LOOP;
    IF wait = 0 THEN
        UPDATE login_attempt SET attempts = attempts + 1 WHERE key = ANY (keys);
    END IF;
    RETURN wait;
END $$;

-- It was the right person: the account's failures are forgotten, the address's attempt is taken back.
CREATE FUNCTION gate.forgive_attempts(forgotten text[], taken_back text[])
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM login_attempt WHERE key = ANY (forgotten);
    UPDATE login_attempt SET attempts = greatest(0, attempts - 1) WHERE key = ANY (taken_back);
$$;

-- A refresh token is exchanged once. The same one again ends the whole sign-in: the thief's and the owner's.
CREATE FUNCTION gate.renew_login(given_hash text, new_hash text, valid_for interval)
RETURNS TABLE (login_id uuid, user_id uuid, tenant_id uuid, reused boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    login login_session;
BEGIN
    UPDATE login_session s SET token_hash = new_hash, used_at = now(), expires_at = now() + valid_for
     WHERE s.token_hash = given_hash AND s.kind = 'program' AND s.expires_at > now() RETURNING s.* INTO login;
    IF FOUND THEN
        INSERT INTO spent_token (token_hash, login_session_id) VALUES (given_hash, login.id);
        RETURN QUERY SELECT login.id, login.user_id, login.active_tenant_id, false;
        RETURN;
    END IF;
    DELETE FROM login_session s USING spent_token t
     WHERE t.token_hash = given_hash AND s.id = t.login_session_id RETURNING s.* INTO login;
    IF FOUND THEN
        RETURN QUERY SELECT login.id, login.user_id, login.active_tenant_id, true;
    END IF;
END $$;

-- Ends the sign-in that a refresh token belongs to, also a spent one.
CREATE FUNCTION gate.revoke_token(given_hash text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM login_session s
     WHERE s.kind = 'program'
       AND (s.token_hash = given_hash
            OR s.id IN (SELECT t.login_session_id FROM spent_token t WHERE t.token_hash = given_hash))
$$;

CREATE FUNCTION gate.account(of_user uuid)
RETURNS TABLE (email text, name text, locale text, password_hash text, totp_sealed text, recovery_codes integer,
               runs_platform boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.email, u.name, u.locale, u.password_hash, u.totp_sealed,
           (SELECT count(*)::integer FROM recovery_code r WHERE r.user_id = u.id), u.runs_platform
      FROM user_account u WHERE u.id = of_user
$$;

CREATE FUNCTION gate.sign_ins(of_user uuid)
RETURNS TABLE (login_id uuid, kind text, name text, tenant_name text, created_at timestamptz, used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.id, s.kind, s.name, t.name, s.created_at, s.used_at
      FROM login_session s LEFT JOIN tenant t ON t.id = s.active_tenant_id
     WHERE s.user_id = of_user AND s.expires_at > now() ORDER BY s.used_at DESC, s.id LIMIT 200
$$;

-- NULL: all but the one to keep. Returns how many ended.
CREATE FUNCTION gate.end_sign_ins(of_user uuid, only_login uuid, but_login uuid)
RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH ended AS (
        DELETE FROM login_session s
         WHERE s.user_id = of_user AND (only_login IS NULL OR s.id = only_login) AND s.id IS DISTINCT FROM but_login
        RETURNING 1)
    SELECT count(*)::integer FROM ended
$$;

CREATE FUNCTION gate.change_account(of_user uuid, new_name text, new_locale text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE user_account SET name = new_name, locale = new_locale WHERE id = of_user
$$;

-- A new password ends every sign-in but the one that it was changed in. ``old_hash`` as it was checked: of two changes
-- at once the second must know the first one's password.
CREATE FUNCTION gate.change_password(of_user uuid, old_hash text, new_hash text, keep_login uuid)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH changed AS (
        UPDATE user_account SET password_hash = new_hash WHERE id = of_user AND password_hash = old_hash RETURNING id),
    ended AS (
        DELETE FROM login_session s USING changed
         WHERE s.user_id = changed.id AND s.id IS DISTINCT FROM keep_login RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM changed)
$$;

CREATE FUNCTION gate.put_second_factor(of_user uuid, sealed text, used_step bigint, code_hashes text[])
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH put AS (
        UPDATE user_account SET totp_sealed = sealed, totp_step = used_step
         WHERE id = of_user AND totp_sealed IS NULL RETURNING id),
    codes AS (
        INSERT INTO recovery_code (user_id, code_hash) SELECT put.id, c FROM put, unnest(code_hashes) c RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM put)
$$;

CREATE FUNCTION gate.drop_second_factor(of_user uuid)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM recovery_code WHERE user_id = of_user;
    WITH dropped AS (
        UPDATE user_account SET totp_sealed = NULL, totp_step = 0
         WHERE id = of_user AND totp_sealed IS NOT NULL RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM dropped)
$$;

-- By somebody else: a platform administrator; an administrator of a business only for who belongs to that one alone,
-- since the second factor guards the person's other businesses, too.
CREATE FUNCTION gate.drop_second_factor_of(of_user uuid, by_user uuid, in_tenant uuid)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN EXISTS (SELECT 1 FROM user_account u WHERE u.id = by_user AND u.runs_platform)
                  OR (EXISTS (SELECT 1 FROM membership m
                               WHERE m.user_id = by_user AND m.tenant_id = in_tenant AND m.role = 'admin')
                      AND EXISTS (SELECT 1 FROM membership m WHERE m.user_id = of_user AND m.tenant_id = in_tenant)
                      AND NOT EXISTS (SELECT 1 FROM membership m
                                       WHERE m.user_id = of_user AND m.tenant_id <> in_tenant)
                      AND NOT EXISTS (SELECT 1 FROM user_account u WHERE u.id = of_user AND u.runs_platform))
                THEN gate.drop_second_factor(of_user) ELSE NULL END
$$;

-- Whether the code of this step counts: only later steps than the last one used do.
CREATE FUNCTION gate.spend_step(of_user uuid, step bigint)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH spent AS (UPDATE user_account SET totp_step = step WHERE id = of_user AND totp_step < step RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM spent)
$$;

CREATE FUNCTION gate.spend_recovery_code(of_user uuid, given_hash text)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH spent AS (DELETE FROM recovery_code WHERE user_id = of_user AND code_hash = given_hash RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM spent)
$$;

-- From the command line (not granted to atende_app): see app/user_commands.py ----------------------------------
CREATE FUNCTION gate.list_users(in_tenant uuid)
RETURNS TABLE (user_id uuid, email text, name text, runs_platform boolean, second_factor boolean, memberships jsonb,
               used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.email, u.name, u.runs_platform, u.totp_sealed IS NOT NULL,
           coalesce((SELECT jsonb_agg(jsonb_build_object('slug', t.slug, 'role', m.role, 'reach', m.reach)
                                      ORDER BY t.slug)
                       FROM membership m JOIN tenant t ON t.id = m.tenant_id WHERE m.user_id = u.id), '[]'),
           (SELECT max(s.used_at) FROM login_session s WHERE s.user_id = u.id)
      FROM user_account u
     WHERE in_tenant IS NULL
        OR EXISTS (SELECT 1 FROM membership m WHERE m.user_id = u.id AND m.tenant_id = in_tenant)
     ORDER BY u.email
$$;

CREATE FUNCTION gate.put_reach(in_tenant uuid, of_user uuid, new_reach text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE membership SET reach = new_reach WHERE tenant_id = in_tenant AND user_id = of_user
$$;

CREATE FUNCTION gate.put_platform(of_user uuid, runs boolean)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE user_account SET runs_platform = runs WHERE id = of_user
$$;

CREATE FUNCTION gate.set_password(of_user uuid, new_hash text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE user_account SET password_hash = new_hash WHERE id = of_user;
    DELETE FROM login_session WHERE user_id = of_user;
$$;

DO $$
DECLARE
    signature regprocedure;
BEGIN
    FOR signature IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'gate'::regnamespace
                        AND p.proowner <> 'atende_gate'::regrole LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO atende_gate', signature);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION gate.count_attempt, gate.forgive_attempts, gate.renew_login, gate.revoke_token, gate.account,
    gate.sign_ins, gate.end_sign_ins, gate.change_account, gate.change_password, gate.put_second_factor,
    gate.drop_second_factor, gate.drop_second_factor_of, gate.spend_step, gate.spend_recovery_code TO atende_app;
