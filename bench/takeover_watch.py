"""What looks at automatic messages while conversations are taken over: triggers, and the questions at the end."""

WATCH = """
CREATE TABLE watched (conversation_id uuid, why text);
CREATE TABLE left_at (conversation_id uuid, at timestamptz);
GRANT SELECT, INSERT ON watched, left_at TO atende_app;
CREATE FUNCTION watch_leaving() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held record;
    said text;
BEGIN
    INSERT INTO left_at VALUES (new.conversation_id, clock_timestamp());
    SELECT status, fence INTO held FROM conversation WHERE id = new.conversation_id;
    SELECT decision ->> 'kind' INTO said FROM turn WHERE id = new.turn_id;
    IF new.fence IS NULL AND said <> 'hand_off' THEN
        INSERT INTO watched VALUES (new.conversation_id, 'stale: no fence on a ' || said);
    ELSIF new.fence IS NOT NULL AND held.status <> 'bot' THEN
        INSERT INTO watched VALUES (new.conversation_id, 'after a takeover: ' || held.status);
    ELSIF new.fence IS NOT NULL AND held.fence <> new.fence THEN
        INSERT INTO watched VALUES (new.conversation_id, 'stale: an older state is answered');
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER watch_leaving BEFORE UPDATE ON outbox_message FOR EACH ROW
    WHEN (old.state = 'queued' AND new.state = 'sending' AND new.origin = 'bot') EXECUTE FUNCTION watch_leaving();
CREATE FUNCTION watch_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO watched SELECT c.id, 'after a takeover: an act' FROM conversation c
     WHERE c.id = new.conversation_id AND c.status <> 'bot';
    RETURN new;
END $$;
CREATE TRIGGER watch_act BEFORE INSERT ON function_call FOR EACH ROW EXECUTE FUNCTION watch_act();
CREATE FUNCTION watch_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO watched SELECT c.id, 'stale: an overtaken suggestion was approved' FROM conversation c
     WHERE c.id = new.conversation_id AND c.fence <> new.fence;
    RETURN new;
END $$;
CREATE TRIGGER watch_approval BEFORE UPDATE ON suggestion FOR EACH ROW
    WHEN (old.status = 'pending' AND new.status IN ('approved', 'edited')) EXECUTE FUNCTION watch_approval();
"""
"""Looks in the transaction itself, under the conversation's lock: what is noted here happened in that order."""

REST = """
SELECT c.status, c.answered_upto_id, c.last_inbound_id,
       (SELECT array_agg(w.why) FROM watched w WHERE w.conversation_id = c.id) AS watched,
       (SELECT count(*) FROM left_at l WHERE l.conversation_id = c.id AND l.at > $2) AS left_after_stop,
       (SELECT count(*) FROM outbox_message o
         WHERE o.conversation_id = c.id AND o.state IN ('queued', 'sending')) AS unsent,
       (SELECT array_agg(jsonb_build_array(t.answered_before, t.upto_message_id, o.state) ORDER BY t.upto_message_id)
          FROM turn t LEFT JOIN outbox_message o ON o.turn_id = t.id AND o.origin = 'bot'
         WHERE t.conversation_id = c.id AND t.status = 'decided') AS turns,
       (SELECT count(*) FROM turn t JOIN outbox_message o ON o.turn_id = t.id AND o.origin = 'bot'
         WHERE t.conversation_id = c.id AND t.status = 'voided' AND o.state <> 'cancelled') AS heard_though_void,
       (SELECT count(*) FROM outbox_message o WHERE o.conversation_id = c.id AND o.state = 'cancelled') AS taken_back,
       (SELECT count(*) FROM function_call f WHERE f.conversation_id = c.id) AS acts
  FROM conversation c WHERE c.id = $1
"""
