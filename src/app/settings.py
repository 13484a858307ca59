"""What an installation is told from outside: environment variables, read here and nowhere else."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from domain.errors import AtendeError

if TYPE_CHECKING:
    from agent.language_model import ModelSettings
    from agent.media_reader import MediaReaderSettings

MIN_SECRET_CHARACTERS = 16
_DATABASE_URL = AliasChoices("ATENDE_DATABASE_URL", "DATABASE_URL")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def default_data_dir() -> Path:
    """The platform's place for a program's data."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "atende"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "atende"


class SettingsError(AtendeError):
    """An environment variable has a value that cannot be used; all such values are named at once."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        listed = "; ".join(f"{name} {problem}" for name, problem in problems)
        super().__init__(f"The settings cannot be used: {listed}.", hint="Correct or unset it, then start again.")
        self.problems = problems


class DatabaseUrlMissingError(AtendeError):
    """A single process was started, but it has no database; only the supervisor brings its own."""

    def __init__(self) -> None:
        super().__init__(
            "This process needs a database.",
            hint="Set DATABASE_URL to a PostgreSQL server, or start everything with: atende serve.",
        )


class SpansUnavailableError(AtendeError):
    """An endpoint for spans is set, but what sends them is not installed."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"Spans cannot be sent: {missing} is not installed.",
            hint="Install it with: pip install 'atende[otel]', or unset ATENDE_OTEL_ENDPOINT and OTEL_EXPORTER_OTLP_*.",
        )


class DataDirError(AtendeError):
    """The data folder cannot be made or written."""

    def __init__(self, data_dir: Path, reason: str) -> None:
        super().__init__(
            f"The data folder {data_dir} cannot be used: {reason}.", hint="Set ATENDE_DATA_DIR to one you may write."
        )
        self.data_dir = data_dir
        self.reason = reason


class SecretFileError(AtendeError):
    """The installation's secret can neither be read nor made."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(
            f"The secret in {file} cannot be used: {reason}.",
            hint="Make the folder writable for this account, set ATENDE_DATA_DIR to another, or set ATENDE_SECRET.",
        )
        self.file = file
        self.reason = reason


class Settings(BaseSettings):
    """All settings with their defaults. Each is ``ATENDE_`` and its name in capitals, unless it says otherwise.

    A value that stands on the command line is handed over as a keyword argument, which wins over the environment.
    """

    model_config = SettingsConfigDict(env_prefix="ATENDE_", extra="ignore", frozen=True, populate_by_name=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the embedded PostgreSQL, the secret and the session stores live."""
    database_url: str | None = Field(None, validation_alias=_DATABASE_URL, repr=False)
    """``DATABASE_URL``: a PostgreSQL of yours, as a role that may create roles. None: the embedded one is started."""
    media_url: str | None = None
    """``ATENDE_MEDIA_URL``: a bucket for files (store/media_bucket.py). None: a folder of the data folder."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """0: any free one; the address is printed."""
    public_url: str = ""
    """How browsers reach the pages, for instance https://atende.example.com, when a proxy stands before it."""
    workers: Annotated[int, Field(ge=1, le=32)] = 1
    """Worker processes."""
    worker_concurrency: Annotated[int, Field(ge=1, le=500)] = 16
    """Turns that one worker runs at the same time."""
    session_hosts: Annotated[int, Field(ge=1, le=32)] = 1
    """Processes that hold WhatsApp connections. One is restarted when it dies; with several, the others step in."""
    pairing_apart: bool = False
    """Whether session hosts leave pairing to a process of its own (``atende pairing``), as under ``atende serve``."""
    session_host_memory_mb: Annotated[int, Field(ge=150)] = 1024
    """Above so much memory a session host ends and is started afresh; it loses no message by it."""
    secret_text: SecretStr | None = Field(None, validation_alias=AliasChoices("ATENDE_SECRET"))
    """``ATENDE_SECRET``: signs log-ins and derives the database roles' passwords. None: kept in the data folder."""
    tenant_folders: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders whose tenants may bring Python code, separated as in PATH. The shipped examples are always allowed."""
    private_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts of your own network that tenants' webhooks may reach, separated by commas. All others must be public."""
    mcp_commands: Annotated[tuple[str, ...], NoDecode] = ()
    """Programs that may be started as MCP servers (as the first word of their command), separated by commas."""
    api_calls_per_minute: int = Field(default=1200, ge=0)
    """How often one API key or one person's access token may call the API; 0: as often as they like."""
    demo: bool = False
    """Seed the example tenant, open the simulator and show the demo's logins."""
    demo_folder: Path = Field(default_factory=lambda: shipped_tenants() / "loja-aurora")
    """The tenant that the demo seeds."""
    whatsapp_proxy_url: str | None = None
    """socks5:// or http:// proxy for WhatsApp connections made by session hosts."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """``debug`` also writes whole tracebacks, which may hold what customers wrote."""
    otel_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("ATENDE_OTEL_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Base address of an OTLP/HTTP collector, such as http://localhost:4318, to send spans to. None: spans are off."""
    otel_traces_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("ATENDE_OTEL_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )
    """The same, as the whole address for traces; it wins."""
    otel_disabled: bool = Field(False, validation_alias=AliasChoices("OTEL_SDK_DISABLED"))
    otel_content: bool = Field(
        False,
        validation_alias=AliasChoices("ATENDE_OTEL_CONTENT", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"),
    )
    """Whether spans hold what was said, personal data masked."""
    model: str | None = None
    """``ATENDE_MODEL``: the language model of tenants that name none. None: no model is asked, even with a key set."""
    model_prices: Annotated[dict[str, dict[str, float]] | None, NoDecode] = None
    """``ATENDE_MODEL_PRICES``: such as ``gpt-small=0.40/1.60`` (input/output per million tokens), for budgets."""
    eval_customer_model: str | None = None
    """``ATENDE_EVAL_CUSTOMER_MODEL``: plays customers in evals. None: the agent's own model does."""
    eval_judge_model: str | None = None
    """``ATENDE_EVAL_JUDGE_MODEL``: judges rubrics in evals. None: the agent's own model does."""
    transcribe_model: str | None = None
    """``ATENDE_TRANSCRIBE_MODEL``: what hears customers' voice notes. None: people do."""
    describe_model: str | None = None
    """``ATENDE_DESCRIBE_MODEL``: what looks at customers' pictures and PDF documents. None: people do."""
    media_base_url: str | None = None
    """Where those two are, if not at ``OPENAI_BASE_URL``; the key is the same."""
    openai_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("OPENAI_API_KEY"))
    openai_base_url: str = Field("https://api.openai.com/v1", validation_alias=AliasChoices("OPENAI_BASE_URL"))

    encoder: Literal["fast", "accurate", "endpoint"] = "fast"
    """What reads intents: two local encoders, or an OpenAI-compatible endpoint with the fast one as its spare."""
    embedding_model: str | None = None
    """The endpoint's model; needed with ATENDE_ENCODER=endpoint."""
    embedding_base_url: str | None = None
    """Where the endpoint is. None: OPENAI_BASE_URL."""
    embedding_api_key: SecretStr | None = None
    """None: OPENAI_API_KEY."""
    embedding_dimensions: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Shorter vectors, asked of models that can make them."""

    @field_validator("tenant_folders", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("private_hosts", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [part.strip().lower() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("mcp_commands", mode="before")
    @classmethod
    def _programs(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("model_prices", mode="before")
    @classmethod
    def _prices(cls, value: object) -> object:
        from domain.budgets import read_prices  # noqa: PLC0415 - rarely set

        return (read_prices(value) if value.strip() else None) if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("data_dir", "demo_folder")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator(
        "database_url",
        "model",
        "eval_customer_model",
        "eval_judge_model",
        "transcribe_model",
        "describe_model",
        "media_base_url",
        "media_url",
        "whatsapp_proxy_url",
        "secret_text",
        "otel_endpoint",
        "otel_traces_endpoint",
        "embedding_model",
        "embedding_base_url",
        "embedding_api_key",
        "embedding_dimensions",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("secret_text")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_SECRET_CHARACTERS:
            raise ValueError(f"must have at least {MIN_SECRET_CHARACTERS} characters")
        return value

    @field_validator("public_url", "otel_endpoint", "otel_traces_endpoint")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
            raise ValueError("must be an address such as https://atende.example.com")
        return value.rstrip("/")

    @cached_property
    def secret(self) -> bytes:
        """The installation's secret, made on first use. Raises SecretFileError."""
        if self.secret_text is not None:
            return self.secret_text.get_secret_value().encode()
        return read_or_make_secret(self.data_dir / "secret")

    @property
    def is_secure(self) -> bool:
        """Whether browsers come over HTTPS."""
        return self.public_url.startswith("https://")

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """Host names the pages answer to. A server that only this machine reaches is named only as this machine."""
        named = urlsplit(self.public_url).hostname
        if self.host in _LOOPBACK:
            return tuple(dict.fromkeys([*_LOOPBACK, "[::1]", *([named] if named else [])]))
        return (named, *_LOOPBACK) if named else ("*",)

    @property
    def code_folders(self) -> tuple[Path, ...]:
        """Folders below which a tenant's ``functions.py`` may lie."""
        return (
            shipped_tenants(),
            self.demo_folder,
            *(folder.expanduser().absolute() for folder in self.tenant_folders),
        )

    def need_database_url(self) -> str:
        """The database's address. Raises DatabaseUrlMissingError where nobody gave one."""
        if self.database_url is None:
            raise DatabaseUrlMissingError
        return self.database_url

    def handed_over(self, **changed: Any) -> dict[str, Any]:
        """All settings as JSON values, secrets included, for another process's ``GivenSettings``."""
        values = self.model_dump(mode="json") | changed
        for name in ("secret_text", "openai_api_key", "embedding_api_key"):
            value = getattr(self, name)
            values[name] = value.get_secret_value() if value else None
        return values

    @property
    def spans_go_to(self) -> str | None:
        """The address that spans are sent to, or None."""
        if self.otel_disabled:
            return None
        base = self.otel_endpoint
        if self.otel_traces_endpoint or base is None:
            return self.otel_traces_endpoint
        return base if base.endswith("/v1/traces") else f"{base}/v1/traces"

    def default_model(self) -> ModelSettings:
        """The language model for tenants that name none, without a name where there is none; and its endpoint."""
        from agent.language_model import ModelPrice, ModelSettings  # noqa: PLC0415 - only processes that run turns pay for it

        key = self.openai_api_key.get_secret_value() if self.openai_api_key else ""
        prices = {name: ModelPrice(**price) for name, price in (self.model_prices or {}).items()}
        hosts = frozenset(self.private_hosts)
        return ModelSettings(self.model or "", self.openai_base_url, key, prices=prices, private_hosts=hosts)

    def media_reader(self) -> MediaReaderSettings | None:
        """What puts customers' files into words, or None."""
        if self.transcribe_model is None and self.describe_model is None:
            return None
        from agent.media_reader import MediaReaderSettings  # noqa: PLC0415 - as above

        key = self.openai_api_key.get_secret_value() if self.openai_api_key else ""
        return MediaReaderSettings(
            base_url=self.media_base_url or self.openai_base_url,
            api_key=key,
            transcribe_model=self.transcribe_model,
            describe_model=self.describe_model,
        )


class GivenSettings(Settings):
    """Settings that are given whole, by another process or by a check: the environment counts for nothing."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the caller says."""
        _ = settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load_settings(**given: Any) -> Settings:
    """The settings from the environment; ``given`` values that are not None win. Raises SettingsError."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError([_problem(detail["loc"], detail["msg"]) for detail in error.errors()]) from error


def _problem(location: tuple[int | str, ...], message: str) -> tuple[str, str]:
    """The variable's name and what is wrong; never its value, which may be a password."""
    key = str(location[0])
    name = key if key.isupper() else f"ATENDE_{key.upper()}"
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return name, message[:1].lower() + message[1:]


def shipped_tenants() -> Path:
    """The example tenants: inside an installed wheel, or beside ``src`` in a checkout."""
    inside = Path(__file__).parent / "tenants"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "tenants"


def make_data_dir(folder: Path) -> Path:
    """Make the data folder if it is missing, closed to others; returns it. Raises DataDirError.

    Under root, PostgreSQL's own account passes through it to the server's files, and can list nothing.
    """
    try:
        folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirError(folder, error.strerror or str(error)) from error
    return folder


def read_or_make_secret(file: Path) -> bytes:
    """The secret in ``file``; made, for this account only, if the file is not there. Raises SecretFileError."""
    try:
        make_data_dir(file.parent)
        with contextlib.suppress(FileNotFoundError):
            return _checked(file, file.read_text().strip())
        # Written apart and linked: two starts at once keep one secret, a crash leaves none or a whole one.
        draft = file.with_name(f".secret-{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_urlsafe(32) + "\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
        return _checked(file, file.read_text().strip())
    except OSError as error:
        raise SecretFileError(file, error.strerror or str(error)) from error


def _checked(file: Path, text: str) -> bytes:
    if len(text) < MIN_SECRET_CHARACTERS:
        raise SecretFileError(file, f"it has fewer than {MIN_SECRET_CHARACTERS} characters")
    return text.encode()
