CREATE TABLE event (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    conversation_id UUID,
    kind TEXT NOT NULL,
    payload JSONB DEFAULT '{}'::jsonb NOT NULL,
    actor TEXT DEFAULT 'system' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_event_conversation ON event (conversation_id, id) WHERE kind LIKE 'conversation.%%';
CREATE INDEX ix_event_policy ON event (tenant_id, id) WHERE kind LIKE 'policy.%%' OR kind LIKE 'autonomy.%%';
CREATE INDEX ix_event_tenant ON event (tenant_id, id);

CREATE TABLE tenant (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    slug VARCHAR NOT NULL,
    name TEXT NOT NULL,
    locale TEXT DEFAULT 'pt' NOT NULL,
    timezone TEXT DEFAULT 'America/Sao_Paulo' NOT NULL,
    settings JSONB DEFAULT '{}'::jsonb NOT NULL,
    profile_version INTEGER DEFAULT '1' NOT NULL,
    stopped_at TIMESTAMP WITH TIME ZONE,
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
    qr TEXT,
    qr_expires_at TIMESTAMP WITH TIME ZONE,
    config JSONB DEFAULT '{}'::jsonb NOT NULL,
    stopped_at TIMESTAMP WITH TIME ZONE,
    next_send_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    lease_owner TEXT,
    lease_until TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_channel_session_tenant_id ON channel_session (tenant_id);

CREATE TABLE contact (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    name TEXT,
    push_name TEXT,
    is_group BOOLEAN DEFAULT false NOT NULL,
    opted_out_at TIMESTAMP WITH TIME ZONE,
    tags JSONB DEFAULT '[]'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
);
CREATE INDEX ix_contact_tenant_id ON contact (tenant_id);

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
    active_tenant_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
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
    content JSONB DEFAULT '{}'::jsonb NOT NULL,
    first_used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (tenant_id, hash),
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

CREATE TABLE consent_entry (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    granted BOOLEAN NOT NULL,
    said TEXT NOT NULL,
    text_version TEXT NOT NULL,
    channel TEXT NOT NULL,
    channel_session_id UUID NOT NULL,
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
    last_message_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_preview TEXT DEFAULT '' NOT NULL,
    waiting_since TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (channel_session_id, contact_id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE,
    FOREIGN KEY(contact_id) REFERENCES contact (id) ON DELETE CASCADE,
    FOREIGN KEY(assignee_id) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_conversation_contact_id ON conversation (contact_id);
CREATE INDEX ix_conversation_inbox ON conversation (tenant_id, status, last_message_at DESC);

CREATE TABLE held_event (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    kind TEXT NOT NULL,
    key TEXT DEFAULT '' NOT NULL,
    body JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY(channel_session_id) REFERENCES channel_session (id) ON DELETE CASCADE
);
CREATE INDEX ix_held_event ON held_event (channel_session_id, kind, key);

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
CREATE INDEX ix_intent_example_embedding ON intent_example USING hnsw (embedding vector_cosine_ops);
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
CREATE INDEX ix_webhook_log ON webhook_delivery (endpoint_id, id);
CREATE INDEX ix_webhook_order ON webhook_delivery (endpoint_id, conversation_id, id) WHERE state = 'pending';

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
CREATE UNIQUE INDEX uq_message_provider ON message (channel_session_id, contact_id, provider_id) WHERE provider_id IS NOT NULL;

CREATE TABLE outbox_message (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    tenant_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    channel_session_id UUID NOT NULL,
    message_id INTEGER NOT NULL,
    turn_id UUID,
    origin TEXT NOT NULL,
    purpose TEXT DEFAULT 'reply' NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    fence INTEGER,
    content JSONB DEFAULT '{}'::jsonb NOT NULL,
    provider_id TEXT,
    ack TEXT,
    error TEXT,
    attempts INTEGER DEFAULT '0' NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sending_until TIMESTAMP WITH TIME ZONE,
    queued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    UNIQUE (message_id)
);
CREATE INDEX ix_outbox_conversation ON outbox_message (conversation_id, message_id);
CREATE INDEX ix_outbox_due ON outbox_message (channel_session_id, message_id) WHERE state IN ('queued','sending');
CREATE INDEX ix_outbox_turn ON outbox_message (turn_id);
CREATE UNIQUE INDEX uq_outbox_provider ON outbox_message (channel_session_id, provider_id) WHERE provider_id IS NOT NULL;

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
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(conversation_id) REFERENCES conversation (id) ON DELETE CASCADE,
    FOREIGN KEY(turn_id) REFERENCES turn (id) ON DELETE CASCADE,
    FOREIGN KEY(decided_by) REFERENCES user_account (id) ON DELETE SET NULL
);
CREATE INDEX ix_suggestion_conversation ON suggestion (conversation_id, status);
CREATE UNIQUE INDEX uq_suggestion_pending ON suggestion (conversation_id) WHERE status = 'pending';
