"""All tables of Atende. The migrations build them; a test holds the two together."""

from __future__ import annotations

from sqlmodel import SQLModel

from store.tables.accounts import ApiKey, LoginSession, Membership, Tenant, UserAccount
from store.tables.conversations import (
    ChannelSession,
    ConsentEntry,
    Contact,
    ContactAddress,
    Conversation,
    HeldEvent,
    Message,
    MessageChange,
    OutboxMessage,
    SimulatorDelivery,
)
from store.tables.functions import AllowedHost, BusinessFunctionDeclaration, TenantSecret
from store.tables.gateways import MediaFile, QuarantinedEvent, Reconciliation
from store.tables.identities import IdentityCheck
from store.tables.knowledge import (
    BusinessRecord,
    Intent,
    IntentExample,
    KnowledgeChunk,
    KnowledgeDocument,
    KnowledgeWord,
    PromptBundle,
)
from store.tables.spending import ModelSpending
from store.tables.templates import MessageTemplate
from store.tables.webhooks import WebhookDelivery, WebhookEndpoint
from store.tables.work import Approval, Event, FunctionCall, Handoff, IntentAutonomy, Suggestion, Turn

metadata = SQLModel.metadata

ABOVE_TENANTS = frozenset({"tenant", "user_account", "login_session"})
"""Tables without a tenant column: what must be known before a tenant is. Guarded by grants and functions instead."""

__all__ = [
    "ABOVE_TENANTS",
    "AllowedHost",
    "ApiKey",
    "Approval",
    "BusinessFunctionDeclaration",
    "BusinessRecord",
    "ChannelSession",
    "ConsentEntry",
    "Contact",
    "ContactAddress",
    "Conversation",
    "Event",
    "FunctionCall",
    "Handoff",
    "HeldEvent",
    "IdentityCheck",
    "Intent",
    "IntentAutonomy",
    "IntentExample",
    "KnowledgeChunk",
    "KnowledgeDocument",
    "KnowledgeWord",
    "LoginSession",
    "MediaFile",
    "Membership",
    "Message",
    "MessageChange",
    "MessageTemplate",
    "ModelSpending",
    "OutboxMessage",
    "PromptBundle",
    "QuarantinedEvent",
    "Reconciliation",
    "SimulatorDelivery",
    "Suggestion",
    "Tenant",
    "TenantSecret",
    "Turn",
    "UserAccount",
    "WebhookDelivery",
    "WebhookEndpoint",
    "metadata",
]
