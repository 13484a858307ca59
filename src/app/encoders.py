"""The sentence encoder that this installation's settings name."""

from __future__ import annotations

from agent.encoder import Encoder, default_encoder, local_encoder
from app.settings import Settings, SettingsError


def encoder_of(settings: Settings) -> Encoder:
    """One per process, weights not loaded yet. Raises SettingsError where the endpoint has no model."""
    if settings.encoder != "endpoint":
        return local_encoder(settings.encoder)
    if settings.embedding_model is None:
        raise SettingsError([("ATENDE_EMBEDDING_MODEL", "is needed with ATENDE_ENCODER=endpoint")])
    from agent.endpoint_encoder import EmbeddingEndpoint, EndpointEncoder  # noqa: PLC0415

    key = settings.embedding_api_key or settings.openai_api_key
    endpoint = EmbeddingEndpoint(
        model=settings.embedding_model,
        base_url=settings.embedding_base_url or settings.openai_base_url,
        api_key=key.get_secret_value() if key else "",
        dimensions=settings.embedding_dimensions,
    )
    return EndpointEncoder(endpoint, default_encoder())
