-- What the search of the inbox rests on (store/search.py): words as an index keeps them. Here, because indexes of the
-- tables rest on these functions. The embedded server has no contrib modules, so accents are folded by hand; nothing
-- here depends on a locale, or an index would be worth nothing after a change of the system's libraries.

-- Lower case without accents; what the parser would read as part of a word (addresses of sites, signs of numbers,
-- hyphens) becomes a space. The plain letters stand first, each as itself, because translate() looks along the list for
-- every character: that makes it five times as quick. Must agree with store.search_question.folded.
CREATE FUNCTION public.folded(text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN translate(lower(normalize(text, NFC) COLLATE "C"),
    'aeos irdntucmlpvgfbhqjzxkwy0123456789áàâãäåÁÀÂÃÄÅéèêëÉÈÊËíìîïÍÌÎÏóòôõöøÓÒÔÕÖØúùûüÚÙÛÜçÇñÑýÿÝºª./@-_~<>&+:#%=''\',
    'aeos irdntucmlpvgfbhqjzxkwy0123456789aaaaaaaaaaaaeeeeeeeeiiiiiiiioooooooooooouuuuuuuuccnnyyyoa                ');

-- A text in which words may be looked for by LIKE: as folded, but for signs where it has plain letters only, which takes a
-- sixth of the time.
CREATE FUNCTION public.plain_letters(text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(text) = length(text) THEN lower(text COLLATE "C") ELSE public.folded(text) END;

-- The words of a text, each behind a mark.
CREATE FUNCTION public.marked_words(mark text, text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN replace(' ' || strip(to_tsvector('pg_catalog.simple'::regconfig, public.folded(left(text, 8000))))::text,
               ' ''', ' ''' || mark)::tsvector;

-- An index is shared by all tenants, the words in it are not: each stands behind the first digits of its tenant's id.
-- Those of messages also stand behind the 32,768 ids that the message is one of: however common a word is, the newest
-- messages that hold it are found without reading all others.
CREATE FUNCTION public.message_words(tenant_id uuid, id bigint, text text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN public.marked_words('t' || left(tenant_id::text, 8) || 'b' || to_hex(id >> 15) || 'w', text);

CREATE FUNCTION public.tenant_words(tenant_id uuid, text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN public.marked_words('t' || left(tenant_id::text, 8) || 'w', text);

-- Of a telephone number all of its ends, so that any digits in a row are the beginning of one.
CREATE FUNCTION public.address_words(tenant_id uuid, kind text, value text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN kind = 'phone' AND value ~ '^[0-9]{4,20}$' THEN
    array_to_tsvector(ARRAY(SELECT 't' || left(tenant_id::text, 8) || 'w' || substr(value, n)
                              FROM generate_series(1, length(value) - 2) n))
    WHEN kind = 'simulator' THEN public.tenant_words(tenant_id, value) ELSE ''::tsvector END;
