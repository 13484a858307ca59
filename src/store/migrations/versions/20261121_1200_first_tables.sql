CREATE TABLE event (
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    conversation_id UUID,
    kind TEXT NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    actor TEXT DEFAULT 'system' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_event_audit ON event (tenant_id, id) WHERE split_part(kind, '.', 1) IN ('api_key', 'autonomy', 'bundle', 'eval_gate', 'function', 'functions', 'host', 'hours', 'intent', 'invitation', 'knowledge', 'login', 'person', 'policy', 'prompt', 'reply', 'secret', 'session', 'settings', 'team', 'template', 'templates', 'tenant', 'trade', 'webhook') AND kind <> 'function.called';
CREATE INDEX ix_event_conversation ON event (conversation_id, id) WHERE kind LIKE 'conversation.%%' OR kind = 'function.called';
CREATE INDEX ix_event_lost ON event (tenant_id, (payload ->> 'channel_session_id'), created_at) WHERE kind = 'message.lost';
CREATE INDEX ix_event_policy ON event (tenant_id, id) WHERE kind LIKE 'policy.%%' OR kind LIKE 'autonomy.%%';
CREATE INDEX ix_event_session ON event ((payload ->> 'channel_session_id'), id) WHERE kind LIKE 'session.%%';
CREATE INDEX ix_event_tenant ON event (tenant_id, id);

CREATE TABLE login_attempt (
    key VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (key)
);

CREATE TABLE tenant (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    slug VARCHAR NOT NULL,
    name TEXT NOT NULL,
    locale TEXT DEFAULT 'pt' NOT NULL,
    timezone TEXT DEFAULT 'America/Sao_Paulo' NOT NULL,
    settings JSONB DEFAULT '{}'::jsonb NOT NULL,
    profile_version INTEGER DEFAULT '1' NOT NULL,
    stopped_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (slug)
);

CREATE TABLE user_account (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    email VARCHAR NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    locale TEXT,
    runs_platform BOOLEAN DEFAULT false NOT NULL,
    totp_sealed TEXT,
    totp_step BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (email)
);

CREATE TABLE allowed_host (
    tenant_id UUID NOT NULL,
    host VARCHAR NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, host),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE api_key (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    name TEXT NOT NULL,
    key_hash VARCHAR NOT NULL,
    hint TEXT NOT NULL,
    scopes JSONB DEFAULT '[]'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    UNIQUE (key_hash)
);
CREATE INDEX ix_api_key_tenant_id ON api_key (tenant_id);

CREATE TABLE bundle_document (
    tenant_id UUID NOT NULL,
    digest VARCHAR NOT NULL,
    title TEXT DEFAULT '' NOT NULL,
    chunks JSONB DEFAULT '[]'::jsonb NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE bundle_release (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    share FLOAT DEFAULT '1' NOT NULL,
    evidence JSONB DEFAULT '{}'::jsonb NOT NULL,
    actor TEXT DEFAULT 'system' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_bundle_release_tenant ON bundle_release (tenant_id, id);

CREATE TABLE business_function (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    name TEXT NOT NULL,
    kind TEXT DEFAULT 'python' NOT NULL,
    effect TEXT NOT NULL,
    source TEXT NOT NULL,
    declaration JSONB DEFAULT '{}'::jsonb NOT NULL,
    trusted BOOLEAN DEFAULT false NOT NULL,
    trusted_for JSONB DEFAULT '[]'::jsonb NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE business_record (
    tenant_id UUID NOT NULL,
    collection VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    value JSONB DEFAULT '{}'::jsonb NOT NULL,
    PRIMARY KEY (tenant_id, collection, key),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE canned_reply (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    user_id UUID,
    shortcut TEXT NOT NULL,
    text TEXT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_canned_reply ON canned_reply (tenant_id, coalesce(user_id, tenant_id), shortcut);

CREATE TABLE contact (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    name TEXT,
    push_name TEXT,
    is_group BOOLEAN DEFAULT false NOT NULL,
    opted_out_at TIMESTAMP WITH TIME ZONE,
    tags JSONB DEFAULT '[]'::jsonb NOT NULL,
    fields JSONB DEFAULT '{}'::jsonb NOT NULL,
    lead_status TEXT,
    lead_score INTEGER DEFAULT '0' NOT NULL,
    lead_source TEXT DEFAULT '' NOT NULL,
    lead_reasons JSONB DEFAULT '[]'::jsonb NOT NULL,
    lead_at TIMESTAMP WITH TIME ZONE,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_contact_lead ON contact (tenant_id, lead_status, lead_at) WHERE lead_status IS NOT NULL;
CREATE INDEX ix_contact_tenant_id ON contact (tenant_id);
CREATE INDEX ix_contact_words ON contact USING gin (tenant_words(tenant_id, (coalesce(name, '') || ' ') || coalesce(push_name, '')));

CREATE TABLE eval_run (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    digest TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    published_by TEXT DEFAULT '' NOT NULL,
    mode TEXT DEFAULT '' NOT NULL,
    candidate JSONB DEFAULT '{}'::jsonb NOT NULL,
    baseline JSONB DEFAULT '{}'::jsonb NOT NULL,
    verdict TEXT DEFAULT 'alone' NOT NULL,
    exit_code BIGINT DEFAULT 0 NOT NULL,
    shares JSONB DEFAULT '[]'::jsonb NOT NULL,
    view BYTEA DEFAULT ''::bytea NOT NULL,
    packs BYTEA[] DEFAULT '{}'::bytea[] NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (tenant_id, digest),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_eval_run_history ON eval_run (tenant_id, started_at);

CREATE TABLE idempotent_request (
    tenant_id UUID NOT NULL,
    key VARCHAR NOT NULL,
    digest TEXT NOT NULL,
    answer JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, key),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_idempotent_request_age ON idempotent_request (created_at);

CREATE TABLE identity_check (
    tenant_id UUID NOT NULL,
    subject_id UUID NOT NULL,
    attempts BIGINT DEFAULT 0 NOT NULL,
    message_id BIGINT DEFAULT 0 NOT NULL,
    tried_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    verified_until TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, subject_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE intent (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    name TEXT NOT NULL,
    declaration JSONB DEFAULT '{}'::jsonb NOT NULL,
    source TEXT DEFAULT 'files' NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE intent_autonomy (
    tenant_id UUID NOT NULL,
    intent VARCHAR NOT NULL,
    state TEXT DEFAULT 'earning' NOT NULL,
    approved INTEGER DEFAULT '0' NOT NULL,
    other INTEGER DEFAULT '0' NOT NULL,
    epoch INTEGER DEFAULT '1' NOT NULL,
    drop_evidence FLOAT DEFAULT 0 NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, intent),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE invitation (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    token_hash VARCHAR NOT NULL,
    user_id UUID,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT DEFAULT 'operator' NOT NULL,
    reach TEXT DEFAULT 'all' NOT NULL,
    teams JSONB DEFAULT '[]'::jsonb NOT NULL,
    created_by TEXT DEFAULT 'system' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    UNIQUE (token_hash),
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX ix_invitation_tenant_id ON invitation (tenant_id);

CREATE TABLE knowledge_document (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    ref TEXT NOT NULL,
    title TEXT NOT NULL,
    language TEXT DEFAULT 'pt' NOT NULL,
    digest TEXT NOT NULL,
    source TEXT DEFAULT 'folder' NOT NULL,
    file_name TEXT DEFAULT '' NOT NULL,
    indexed_with TEXT DEFAULT '' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    error TEXT,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (tenant_id, ref),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_knowledge_document_indexed_with ON knowledge_document (indexed_with);

CREATE TABLE knowledge_word (
    tenant_id UUID NOT NULL,
    word VARCHAR NOT NULL,
    chunks INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (tenant_id, word),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE login_session (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    token_hash VARCHAR NOT NULL,
    user_id UUID NOT NULL,
    active_tenant_id UUID,
    kind TEXT DEFAULT 'browser' NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (token_hash),
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE,
    FOREIGN KEY(active_tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_login_session_active_tenant_id ON login_session (active_tenant_id);
CREATE INDEX ix_login_session_user_id ON login_session (user_id);

CREATE TABLE membership (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role TEXT NOT NULL,
    reach TEXT DEFAULT 'all' NOT NULL,
    capacity INTEGER DEFAULT '0' NOT NULL,
    skills JSONB DEFAULT '[]'::jsonb NOT NULL,
    away_at TIMESTAMP WITH TIME ZONE,
    seen_at TIMESTAMP WITH TIME ZONE,
    assigned_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (tenant_id, user_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX ix_membership_user_id ON membership (user_id);

CREATE TABLE model_spending (
    tenant_id UUID NOT NULL,
    span VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    cost_micros BIGINT DEFAULT 0 NOT NULL,
    tokens BIGINT DEFAULT 0 NOT NULL,
    calls BIGINT DEFAULT 0 NOT NULL,
    held_micros BIGINT DEFAULT 0 NOT NULL,
    held_tokens BIGINT DEFAULT 0 NOT NULL,
    held_until TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, span, key),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE prompt_bundle (
    tenant_id UUID NOT NULL,
    hash VARCHAR NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    parts JSONB DEFAULT '{}'::jsonb NOT NULL,
    content JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_by TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    first_used_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (tenant_id, hash),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE prompt_wording (
    tenant_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    source TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, name),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE recovery_code (
    user_id UUID NOT NULL,
    code_hash VARCHAR NOT NULL,
    PRIMARY KEY (user_id, code_hash),
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);

CREATE TABLE suppressed_address (
    tenant_id UUID NOT NULL,
    digest VARCHAR NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE team (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    assignment TEXT DEFAULT 'by_hand' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE tenant_secret (
    tenant_id UUID NOT NULL,
    name VARCHAR NOT NULL,
    sealed TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, name),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);

CREATE TABLE webhook_endpoint (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    url TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    kinds JSONB DEFAULT '[]'::jsonb NOT NULL,
    secrets JSONB DEFAULT '[]'::jsonb NOT NULL,
    state TEXT DEFAULT 'active' NOT NULL,
    disabled_reason TEXT DEFAULT '' NOT NULL,
    failing_since TIMESTAMP WITH TIME ZONE,
    cursor_id BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_endpoint_tenant_id ON webhook_endpoint (tenant_id);

CREATE TABLE channel_session (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    account TEXT,
    status TEXT DEFAULT 'unknown' NOT NULL,
    status_detail TEXT DEFAULT '' NOT NULL,
    status_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    wanted BOOLEAN DEFAULT true NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    qr TEXT,
    qr_expires_at TIMESTAMP WITH TIME ZONE,
    config JSONB DEFAULT '{}'::jsonb NOT NULL,
    team_id UUID,
    stopped_at TIMESTAMP WITH TIME ZONE,
    lease_owner TEXT,
    lease_until TIMESTAMP WITH TIME ZONE,
    restricted_until TIMESTAMP WITH TIME ZONE,
    alive_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(team_id) REFERENCES team (id) ON DELETE SET NULL
);
CREATE INDEX ix_channel_session_tenant_id ON channel_session (tenant_id);

CREATE TABLE consent_entry (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    granted BOOLEAN NOT NULL,
    said TEXT NOT NULL,
    text_version TEXT NOT NULL,
    channel TEXT NOT NULL,
    channel_session_id UUID,
    message_id BIGINT DEFAULT 0 NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE
);
CREATE INDEX ix_consent_entry_contact ON consent_entry (contact_id, id);

CREATE TABLE contact_address (
    tenant_id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    contact_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, kind, value),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE
);
CREATE INDEX ix_contact_address_contact_id ON contact_address (contact_id);
CREATE INDEX ix_contact_address_words ON contact_address USING gin (address_words(tenant_id, kind, value));

CREATE TABLE contact_profile (
    contact_id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    picture_id TEXT,
    sha256 TEXT,
    mime_type TEXT DEFAULT '' NOT NULL,
    look_again_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (contact_id),
    FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_contact_profile_tenant_id ON contact_profile (tenant_id);

CREATE TABLE intent_example (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    intent_id UUID NOT NULL,
    language TEXT DEFAULT 'pt' NOT NULL,
    text TEXT NOT NULL,
    encoder TEXT DEFAULT '' NOT NULL,
    embedding VECTOR(1024),
    PRIMARY KEY (id),
    UNIQUE (intent_id, text),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(intent_id) REFERENCES intent (id) ON DELETE CASCADE
);
CREATE INDEX ix_intent_example_tenant_id ON intent_example (tenant_id);

CREATE TABLE knowledge_chunk (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    document_id UUID NOT NULL,
    ordinal INTEGER NOT NULL,
    heading TEXT DEFAULT '' NOT NULL,
    page INTEGER,
    text TEXT NOT NULL,
    language TEXT DEFAULT 'pt' NOT NULL,
    digest TEXT DEFAULT '' NOT NULL,
    encoder TEXT DEFAULT '' NOT NULL,
    embedding HALFVEC(512),
    sentences HALFVEC(512)[],
    words TSVECTOR DEFAULT ''::tsvector NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(document_id) REFERENCES knowledge_document (id) ON DELETE CASCADE
);
CREATE INDEX ix_knowledge_chunk_document ON knowledge_chunk (document_id, ordinal);
CREATE INDEX ix_knowledge_chunk_embedding ON knowledge_chunk USING hnsw (embedding halfvec_cosine_ops);
CREATE INDEX ix_knowledge_chunk_tenant_id ON knowledge_chunk (tenant_id);
CREATE INDEX ix_knowledge_chunk_words ON knowledge_chunk USING gin (words);

CREATE TABLE spent_token (
    token_hash VARCHAR NOT NULL,
    login_session_id UUID NOT NULL,
    spent_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (token_hash),
    FOREIGN KEY(login_session_id) REFERENCES login_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_spent_token_login_session_id ON spent_token (login_session_id);

CREATE TABLE team_member (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    team_id UUID NOT NULL,
    user_id UUID NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (team_id, user_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(team_id) REFERENCES team (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE
);
CREATE INDEX ix_team_member_user_id ON team_member (user_id);

CREATE TABLE webhook_delivery (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    endpoint_id UUID NOT NULL,
    event_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    conversation_id UUID,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    claimed_until TIMESTAMP WITH TIME ZONE,
    last_status INTEGER,
    last_error TEXT,
    duration_ms FLOAT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    UNIQUE (endpoint_id, event_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoint (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_due ON webhook_delivery (next_attempt_at) WHERE state = 'pending';
CREATE INDEX ix_webhook_ended ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX ix_webhook_log ON webhook_delivery (endpoint_id, id);
CREATE INDEX ix_webhook_order ON webhook_delivery (endpoint_id, conversation_id, id) WHERE state = 'pending';

CREATE TABLE channel_request (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    kind TEXT NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    state TEXT DEFAULT 'wanted' NOT NULL,
    answer JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_channel_request_due ON channel_request (channel_session_id, created_at) WHERE state = 'wanted';
CREATE INDEX ix_channel_request_known ON channel_request (channel_session_id, kind, created_at);
CREATE INDEX ix_channel_request_tenant_id ON channel_request (tenant_id);

CREATE TABLE conversation (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    address TEXT NOT NULL,
    status TEXT DEFAULT 'bot' NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    assignee_id UUID,
    language TEXT,
    unread INTEGER DEFAULT '0' NOT NULL,
    window_start_id BIGINT DEFAULT 0 NOT NULL,
    summary TEXT DEFAULT '' NOT NULL,
    summary_upto_id BIGINT DEFAULT 0 NOT NULL,
    summary_change_id BIGINT DEFAULT 0 NOT NULL,
    last_inbound_id BIGINT DEFAULT 0 NOT NULL,
    answered_upto_id BIGINT DEFAULT 0 NOT NULL,
    drafts_upto_id BIGINT DEFAULT 0 NOT NULL,
    last_message_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_preview TEXT DEFAULT '' NOT NULL,
    waiting_since TIMESTAMP WITH TIME ZONE,
    resumes_at TIMESTAMP WITH TIME ZONE,
    team_id UUID,
    priority INTEGER DEFAULT '0' NOT NULL,
    labels JSONB DEFAULT '[]'::jsonb NOT NULL,
    snoozed_until TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_reason TEXT,
    undo JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (channel_session_id, contact_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE,
    FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE,
    FOREIGN KEY(assignee_id) REFERENCES user_account (id) ON DELETE SET NULL,
    FOREIGN KEY(team_id) REFERENCES team (id) ON DELETE SET NULL
);
CREATE INDEX ix_conversation_assignee ON conversation (assignee_id, last_message_at DESC, id DESC) WHERE assignee_id IS NOT NULL;
CREATE INDEX ix_conversation_contact_id ON conversation (contact_id);
CREATE INDEX ix_conversation_inbox ON conversation (tenant_id, (status = 'closed'), last_message_at DESC, id DESC);
CREATE INDEX ix_conversation_labelled ON conversation (tenant_id) WHERE labels <> '[]' AND status <> 'closed';
CREATE INDEX ix_conversation_open ON conversation (tenant_id, last_message_at DESC, id DESC) WHERE status <> 'closed';
CREATE INDEX ix_conversation_resumes ON conversation (resumes_at) WHERE resumes_at IS NOT NULL;
CREATE INDEX ix_conversation_snoozed ON conversation (snoozed_until) WHERE snoozed_until IS NOT NULL;
CREATE INDEX ix_conversation_waiting ON conversation (tenant_id) WHERE status IN ('waiting', 'human');

CREATE TABLE held_event (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    kind TEXT NOT NULL,
    key TEXT DEFAULT '' NOT NULL,
    conversation_id UUID,
    body JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_held_conversation ON held_event (conversation_id) WHERE conversation_id IS NOT NULL;
CREATE INDEX ix_held_event ON held_event (channel_session_id, kind, key);

CREATE TABLE message_change (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    provider_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    content JSONB DEFAULT '{}'::jsonb NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_message_change ON message_change (channel_session_id, provider_id);
CREATE INDEX ix_message_change_words ON message_change USING gin (tenant_words(tenant_id, coalesce(content ->> 'text', ''))) WHERE kind IN ('edit', 'transcript');

CREATE TABLE message_template (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    status TEXT DEFAULT 'UNKNOWN' NOT NULL,
    category TEXT DEFAULT '' NOT NULL,
    quality TEXT DEFAULT '' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    definition JSONB DEFAULT '{}'::jsonb NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    synced_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    UNIQUE (channel_session_id, name, language),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_message_template_tenant_id ON message_template (tenant_id);

CREATE TABLE number_pace (
    channel_session_id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    tokens FLOAT DEFAULT 0 NOT NULL,
    refilled_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    next_first_contact_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    phone TEXT DEFAULT '' NOT NULL,
    new_since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (channel_session_id),
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE
);

CREATE TABLE quarantined_event (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    count BIGINT DEFAULT 1 NOT NULL,
    body BYTEA DEFAULT ''::bytea NOT NULL,
    is_whole BOOLEAN DEFAULT true NOT NULL,
    error TEXT,
    first_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (channel_session_id, name, digest),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_quarantined_event_tenant_id ON quarantined_event (tenant_id);

CREATE TABLE reconciliation (
    channel_session_id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    cursor TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    polled_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    recovered BIGINT DEFAULT 0 NOT NULL,
    error TEXT,
    PRIMARY KEY (channel_session_id),
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_reconciliation_tenant_id ON reconciliation (tenant_id);

CREATE TABLE session_request (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    kind TEXT NOT NULL,
    argument JSONB DEFAULT '{}'::jsonb NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    result JSONB DEFAULT '{}'::jsonb NOT NULL,
    actor TEXT DEFAULT 'system' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_session_request ON session_request (channel_session_id, state);

CREATE TABLE simulator_delivery (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    key VARCHAR NOT NULL,
    contact TEXT NOT NULL,
    text TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE,
    UNIQUE (key)
);
CREATE INDEX ix_simulator_delivery_channel_session_id ON simulator_delivery (channel_session_id);

CREATE TABLE conversation_episode (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    team_id UUID,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    first_message_id BIGINT DEFAULT 0 NOT NULL,
    last_message_id INTEGER,
    handed_off_at TIMESTAMP WITH TIME ZONE,
    taken_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_by TEXT,
    closed_reason TEXT,
    reopened_at TIMESTAMP WITH TIME ZONE,
    persons JSONB DEFAULT '[]'::jsonb NOT NULL,
    by_person BOOLEAN DEFAULT false NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE,
    first_answer_at TIMESTAMP WITH TIME ZONE,
    first_answer_by TEXT,
    first_person_at TIMESTAMP WITH TIME ZONE,
    settled BOOLEAN DEFAULT false NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE
);
CREATE INDEX ix_conversation_episode ON conversation_episode (conversation_id, id);
CREATE INDEX ix_conversation_episode_closed ON conversation_episode (tenant_id, closed_at);
CREATE INDEX ix_conversation_episode_opened ON conversation_episode (tenant_id, opened_at);
CREATE INDEX ix_conversation_episode_unsettled ON conversation_episode (closed_at) WHERE NOT settled AND closed_at IS NOT NULL;
CREATE UNIQUE INDEX uq_conversation_episode_open ON conversation_episode (conversation_id) WHERE closed_at IS NULL;

CREATE TABLE conversation_note (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    user_id UUID,
    text TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_conversation_note ON conversation_note (conversation_id, id);

CREATE TABLE first_contact (
    conversation_id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (conversation_id),
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_first_contact ON first_contact (channel_session_id, at);

CREATE TABLE function_call (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    trigger_message_id BIGINT DEFAULT 0 NOT NULL,
    function TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    arguments JSONB DEFAULT '{}'::jsonb NOT NULL,
    status TEXT DEFAULT 'started' NOT NULL,
    result JSONB DEFAULT '{}'::jsonb NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    UNIQUE (conversation_id, trigger_message_id, function, ordinal),
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE
);

CREATE TABLE message (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    sender TEXT,
    provider_id TEXT,
    author TEXT NOT NULL,
    kind TEXT DEFAULT 'text' NOT NULL,
    text TEXT DEFAULT '' NOT NULL,
    content JSONB DEFAULT '{}'::jsonb NOT NULL,
    quoted_provider_id TEXT,
    user_id UUID,
    turn_id UUID,
    historical BOOLEAN DEFAULT false NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE
);
CREATE INDEX ix_message_conversation ON message (conversation_id, id);
CREATE INDEX ix_message_notices ON message (conversation_id, id) WHERE content ? 'notices';
CREATE INDEX ix_message_person ON message (conversation_id, id) WHERE author IN ('operator', 'phone');
CREATE INDEX ix_message_words ON message USING gin (message_words(tenant_id, id, text)) WITH (gin_pending_list_limit = 512);
CREATE UNIQUE INDEX uq_message_provider ON message (channel_session_id, contact_id, provider_id) WHERE provider_id IS NOT NULL;

CREATE TABLE notification (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    kind TEXT NOT NULL,
    conversation_id UUID,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE
);
CREATE INDEX ix_notification_read ON notification (read_at) WHERE read_at IS NOT NULL;
CREATE INDEX ix_notification_unread ON notification (user_id, id) WHERE read_at IS NULL;

CREATE TABLE operator_send (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    key TEXT NOT NULL,
    conversation_id UUID NOT NULL,
    message_id BIGINT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (user_id, key),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE
);
CREATE INDEX ix_operator_send_age ON operator_send (user_id, created_at);
CREATE INDEX ix_operator_send_conversation_id ON operator_send (conversation_id);

CREATE TABLE outbox_message (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    message_id INTEGER NOT NULL,
    turn_id UUID,
    origin TEXT NOT NULL,
    urgent BOOLEAN DEFAULT false NOT NULL,
    purpose TEXT DEFAULT 'reply' NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    fence INTEGER,
    content JSONB DEFAULT '{}'::jsonb NOT NULL,
    provider_id TEXT,
    ack TEXT,
    error TEXT,
    attempts INTEGER DEFAULT '0' NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    waits_for TEXT,
    waits_until TIMESTAMP WITH TIME ZONE,
    sending_until TIMESTAMP WITH TIME ZONE,
    queued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    settled TEXT,
    settled_by UUID,
    repeats INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    UNIQUE (message_id)
);
CREATE INDEX ix_outbox_conversation ON outbox_message (conversation_id, message_id);
CREATE INDEX ix_outbox_due ON outbox_message (channel_session_id, message_id) WHERE state IN ('queued','sending');
CREATE INDEX ix_outbox_queued ON outbox_message USING brin (queued_at);
CREATE INDEX ix_outbox_repeated ON outbox_message (conversation_id, message_id) WHERE repeats > 0;
CREATE INDEX ix_outbox_turn ON outbox_message (turn_id);
CREATE INDEX ix_outbox_unknown ON outbox_message (tenant_id, conversation_id) WHERE state = 'unknown';
CREATE UNIQUE INDEX uq_outbox_provider ON outbox_message (channel_session_id, provider_id) WHERE provider_id IS NOT NULL;

CREATE TABLE satisfaction_answer (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    user_id UUID,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    score INTEGER,
    comment TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    FOREIGN KEY(user_id) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_satisfaction_answer ON satisfaction_answer (conversation_id, asked_at);
CREATE INDEX ix_satisfaction_answer_asked ON satisfaction_answer (tenant_id, asked_at);

CREATE TABLE task (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    conversation_id UUID,
    assignee_id UUID,
    title TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    done_at TIMESTAMP WITH TIME ZONE,
    told_at TIMESTAMP WITH TIME ZONE,
    created_by TEXT DEFAULT 'system' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE SET NULL,
    FOREIGN KEY(assignee_id) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_task_contact_id ON task (contact_id);
CREATE INDEX ix_task_due ON task (tenant_id, due_at) WHERE done_at IS NULL;
CREATE INDEX ix_task_told ON task (due_at) WHERE done_at IS NULL AND told_at IS NULL;

CREATE TABLE turn (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    upto_message_id BIGINT DEFAULT 0 NOT NULL,
    answered_before BIGINT DEFAULT 0 NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER DEFAULT '1' NOT NULL,
    decision JSONB DEFAULT '{}'::jsonb NOT NULL,
    intent TEXT,
    confidence FLOAT,
    language TEXT,
    prompt_bundle TEXT DEFAULT '' NOT NULL,
    model TEXT,
    trace JSONB DEFAULT '{}'::jsonb NOT NULL,
    dialogue JSONB DEFAULT '{}'::jsonb NOT NULL,
    cost_micros BIGINT DEFAULT 0 NOT NULL,
    latency_ms FLOAT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE
);
CREATE INDEX ix_turn_conversation ON turn (conversation_id, upto_message_id);
CREATE INDEX ix_turn_created ON turn USING brin (created_at);
CREATE INDEX ix_turn_recent ON turn (tenant_id, created_at, id);

CREATE TABLE approval (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    turn_id UUID NOT NULL,
    function TEXT NOT NULL,
    arguments JSONB DEFAULT '{}'::jsonb NOT NULL,
    upto_message_id BIGINT DEFAULT 0 NOT NULL,
    call JSONB DEFAULT '{}'::jsonb NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    settled_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    FOREIGN KEY(turn_id) REFERENCES turn (id) ON DELETE CASCADE,
    FOREIGN KEY(decided_by) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_approval_conversation ON approval (conversation_id, status);
CREATE INDEX ix_approval_pending ON approval (tenant_id, conversation_id) WHERE status = 'pending';

CREATE TABLE eval_case (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID,
    turn_id UUID,
    origin TEXT NOT NULL,
    content JSONB DEFAULT '{}'::jsonb NOT NULL,
    replaced JSONB DEFAULT '{}'::jsonb NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT 'proposed' NOT NULL,
    revision INTEGER DEFAULT '1' NOT NULL,
    reproduction TEXT DEFAULT 'waiting' NOT NULL,
    difference JSONB DEFAULT '[]'::jsonb NOT NULL,
    reproduction_note TEXT DEFAULT '' NOT NULL,
    played_at TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    proposed_by UUID,
    proposed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    reason TEXT DEFAULT '' NOT NULL,
    forced BOOLEAN DEFAULT false NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (tenant_id, turn_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE SET NULL,
    FOREIGN KEY(turn_id) REFERENCES turn (id) ON DELETE SET NULL,
    FOREIGN KEY(proposed_by) REFERENCES user_account (id) ON DELETE SET NULL,
    FOREIGN KEY(decided_by) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_eval_case_due ON eval_case (due_at) WHERE state = 'proposed' AND reproduction = 'waiting';
CREATE INDEX ix_eval_case_state ON eval_case (tenant_id, state, proposed_at);

CREATE TABLE handoff (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    turn_id UUID,
    reason TEXT NOT NULL,
    summary TEXT DEFAULT '' NOT NULL,
    collected JSONB DEFAULT '{}'::jsonb NOT NULL,
    next_step TEXT DEFAULT '' NOT NULL,
    announcement TEXT DEFAULT '' NOT NULL,
    announced BOOLEAN DEFAULT true NOT NULL,
    claimed_by UUID,
    claimed_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    FOREIGN KEY(turn_id) REFERENCES turn (id) ON DELETE CASCADE,
    FOREIGN KEY(claimed_by) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_handoff_conversation ON handoff (conversation_id, created_at);
CREATE INDEX ix_handoff_created ON handoff (tenant_id, created_at);

CREATE TABLE media_file (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    message_id BIGINT,
    state TEXT DEFAULT 'wanted' NOT NULL,
    sha256 TEXT,
    mime_type TEXT DEFAULT '' NOT NULL,
    file_name TEXT DEFAULT '' NOT NULL,
    size_bytes BIGINT DEFAULT 0 NOT NULL,
    preview TEXT DEFAULT '' NOT NULL,
    pages INTEGER,
    reference JSONB DEFAULT '{}'::jsonb NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE,
    FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
);
CREATE INDEX ix_media_file_channel_session_id ON media_file (channel_session_id);
CREATE INDEX ix_media_file_due ON media_file (next_attempt_at) WHERE state = 'wanted';
CREATE INDEX ix_media_file_message ON media_file (message_id);
CREATE INDEX ix_media_file_tenant_id ON media_file (tenant_id);
CREATE INDEX ix_media_file_unsent ON media_file (created_at) WHERE message_id IS NULL;

CREATE TABLE outbox_alias (
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    provider_id VARCHAR NOT NULL,
    outbox_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, channel_session_id, provider_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(outbox_id) REFERENCES outbox_message (id) ON DELETE CASCADE
);
CREATE INDEX ix_outbox_alias_outbox_id ON outbox_alias (outbox_id);

CREATE TABLE suggestion (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    turn_id UUID,
    text TEXT NOT NULL,
    intent TEXT,
    unsupported JSONB DEFAULT '[]'::jsonb NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    final_text TEXT,
    reject_reason TEXT,
    reject_note TEXT DEFAULT '' NOT NULL,
    origin TEXT DEFAULT 'agent' NOT NULL,
    explanation JSONB DEFAULT '{}'::jsonb NOT NULL,
    replaces_id UUID,
    instruction TEXT,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    FOREIGN KEY(turn_id) REFERENCES turn (id) ON DELETE CASCADE,
    FOREIGN KEY(decided_by) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_suggestion_conversation ON suggestion (conversation_id, status);
CREATE INDEX ix_suggestion_created ON suggestion USING brin (created_at);
CREATE INDEX ix_suggestion_offered ON suggestion (tenant_id, conversation_id) WHERE status = 'pending';
CREATE INDEX ix_suggestion_rejected ON suggestion (tenant_id, decided_at) WHERE status = 'rejected';
CREATE UNIQUE INDEX uq_suggestion_pending ON suggestion (conversation_id) WHERE status = 'pending';
