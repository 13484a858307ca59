"""All tables of Atende. The migrations build them; a test holds the two together."""

from __future__ import annotations

from sqlmodel import SQLModel

from store.tables.accounts import (
    ApiKey,
    Invitation,
    LoginAttempt,
    LoginSession,
    Membership,
    RecoveryCode,
    SpentToken,
    Tenant,
    UserAccount,
)
from store.tables.bundles import BundleDocument, BundleRelease, PromptBundle, PromptWording
from store.tables.contacts import ConsentEntry, Contact, ContactAddress, ContactProfile
from store.tables.conversations import (
    ChannelSession,
    Conversation,
    HeldEvent,
    Message,
    MessageChange,
    OutboxMessage,
    SimulatorDelivery,
)
from store.tables.desk import (
    CannedReply,
    ConversationNote,
    Notification,
    OperatorSend,
    SatisfactionAnswer,
    Task,
    Team,
    TeamMember,
)
from store.tables.evals import EvalRun
from store.tables.evaluation import EvalCase
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
)
from store.tables.reports import ConversationEpisode
from store.tables.requests import ChannelRequest, IdempotentRequest
from store.tables.sending import FirstContact, NumberPace, OutboxAlias
from store.tables.spending import ModelSpending
from store.tables.templates import MessageTemplate
from store.tables.webhooks import WebhookDelivery, WebhookEndpoint
from store.tables.work import Approval, Event, FunctionCall, Handoff, IntentAutonomy, Suggestion, Turn

metadata = SQLModel.metadata

ABOVE_TENANTS = frozenset({"tenant", "user_account", "login_session", "login_attempt", "recovery_code", "spent_token"})
"""Tables without a tenant column: what must be known before a tenant is. Guarded by grants and functions instead."""

__all__ = [
    "ABOVE_TENANTS",
    "AllowedHost",
    "ApiKey",
    "Approval",
    "BundleDocument",
    "BundleRelease",
    "BusinessFunctionDeclaration",
    "BusinessRecord",
    "CannedReply",
    "ChannelRequest",
    "ChannelSession",
    "ConsentEntry",
    "Contact",
    "ContactAddress",
    "ContactProfile",
    "Conversation",
    "ConversationEpisode",
    "ConversationNote",
    "EvalCase",
    "EvalRun",
    "Event",
    "FirstContact",
    "FunctionCall",
    "Handoff",
    "HeldEvent",
    "IdempotentRequest",
    "IdentityCheck",
    "Intent",
    "IntentAutonomy",
    "IntentExample",
    "Invitation",
    "KnowledgeChunk",
    "KnowledgeDocument",
    "KnowledgeWord",
    "LoginAttempt",
    "LoginSession",
    "MediaFile",
    "Membership",
    "Message",
    "MessageChange",
    "MessageTemplate",
    "ModelSpending",
    "Notification",
    "NumberPace",
    "OperatorSend",
    "OutboxAlias",
    "OutboxMessage",
    "PromptBundle",
    "PromptWording",
    "QuarantinedEvent",
    "Reconciliation",
    "RecoveryCode",
    "SatisfactionAnswer",
    "SimulatorDelivery",
    "SpentToken",
    "Suggestion",
    "Task",
    "Team",
    "TeamMember",
    "Tenant",
    "TenantSecret",
    "Turn",
    "UserAccount",
    "WebhookDelivery",
    "WebhookEndpoint",
    "metadata",
]
