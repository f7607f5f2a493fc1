"""What one service can be told through its environment; a name nobody reads is refused."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "PLUMBLINE_"
_NOT_OURS = ("PLUMBLINE_TEST_", "PLUMBLINE_LOCAL_")
_FILE = "_FILE"


class KafkaSettings(BaseModel):
    """How to reach the brokers, and the shape of the topics that `plumbline topics` declares."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # unknown names: see refuse_unknown

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    sasl_username: str | None = Field(default=None, description="of this service")
    sasl_password: SecretStr | None = Field(default=None, description="of this service")
    ssl_cafile: Path | None = Field(default=None, description="certificates of the brokers' authority")
    ssl_certfile: Path | None = Field(default=None, description="of this service, where brokers ask for one")
    ssl_keyfile: Path | None = Field(default=None, description="its private key, not encrypted")
    replication_factor: int = Field(default=3, ge=1, description="copies of every partition")


class ServiceSettings(BaseSettings):
    """Settings of one service process. Only `app.py` and `__main__.py` make one.

    Every name is read from the environment with the prefix `PLUMBLINE_` (three are too well known to carry
    it), nested ones with two underscores. Every secret may stand in a file instead, named by the same
    variable with `_FILE` added.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr = Field(
        validation_alias="DATABASE_URL", description="the service's own database, as <service>_app"
    )
    keys_database_url: SecretStr = Field(
        validation_alias="KEYS_DATABASE_URL", description="the database of the data subjects' keys"
    )
    migration_database_url: SecretStr | None = Field(
        default=None, description="as <service>_owner; only the migration job has it"
    )
    keys_migration_database_url: SecretStr | None = Field(
        default=None, description="the keys database as <service>_owner; only the migration job has it"
    )
    kafka_bootstrap_servers: str | None = Field(
        default=None,
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="host:port, comma separated; without it services follow each other's feed",
    )
    kafka: KafkaSettings = KafkaSettings()
    sources: dict[str, str] = Field(
        default={}, description="base URL of each other service's API, e.g. http://intake:8080/intake"
    )

    host: str = Field(default="0.0.0.0", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="of the API")
    management_port: int = Field(default=9090, ge=0, le=65535, description="/livez /readyz /metrics")
    body_limit_bytes: int = Field(default=262_144, ge=1024, description="largest request body")
    request_timeout_seconds: float = Field(default=10, gt=0, description="longest a request may take")
    requests_per_second: float = Field(default=1_000, ge=0.001, description="of one caller, to this process")

    jwks: str | None = Field(default=None, description="public keys: inline JSON, a file's path or a URL")
    issuer: str = Field(default="plumbline", description="`iss` that a token must carry")
    audience: str = Field(default="plumbline", description="`aud` that a token must carry")
    service_token: SecretStr | None = Field(
        default=None, description="bearer token for the other services' feeds"
    )

    pool_min_size: int = Field(default=1, ge=0, description="database connections kept open")
    # The appender keeps one, and a consumer prepares a batch on one while another holds its checkpoints.
    pool_max_size: int = Field(default=8, ge=3, description="most database connections, at least 3")
    database_wait_seconds: float = Field(default=60, ge=0, description="how long to wait for it at start")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, JSON elsewhere"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _SecretFiles(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_names(cls, values: Any) -> Any:
        refuse_unknown(os.environ)
        return values

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("PLUMBLINE_POOL_MIN_SIZE is larger than PLUMBLINE_POOL_MAX_SIZE")
        return self


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads `<NAME>_FILE` for every secret: what Kubernetes and compose mount as files."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for variable in variables():
            path = os.environ.get(variable.name + _FILE) if variable.secret else None
            if path is not None:
                section = found
                for part in variable.path[:-1]:
                    section = section.setdefault(part, {})
                section[variable.path[-1]] = _InFile(Path(path))
        return found


class _InFile(SecretStr):
    """A secret that is read anew whenever it is asked for: what Kubernetes mounts is renewed in place.

    While the file is away or empty, as it may be for a moment, what it last held counts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(path.read_text(encoding="utf-8").strip())

    def get_secret_value(self) -> str:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            self._secret_value = self._path.read_text(encoding="utf-8").strip() or self._secret_value
        return self._secret_value


class Variable(BaseModel):
    """One environment variable that the settings read."""

    name: str
    path: tuple[str, ...]
    secret: bool
    optional: bool
    description: str
    default: str | None


def variables() -> Iterator[Variable]:
    """List every variable, in the order of the settings; the source of `.env.example`."""
    yield from _variables(ServiceSettings.model_fields, PREFIX, ())


def _variables(fields: Mapping[str, FieldInfo], prefix: str, path: tuple[str, ...]) -> Iterator[Variable]:
    for key, field in fields.items():
        kind = field.annotation
        name = str(field.validation_alias or prefix + key.upper())
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind.model_fields, f"{name}__", (*path, key))
            continue
        if kind == dict[str, str]:
            name += "__<NAME>"
        known = None if field.is_required() or field.default in (None, {}) else str(field.default)
        yield Variable(
            name=name,
            path=(*path, str(field.validation_alias or key)),
            secret=SecretStr in (kind, *get_args(kind)),
            optional=not field.is_required(),
            description=field.description or "",
            default=known,
        )


def env_example() -> str:
    """Return the text of `.env.example`: every variable, what it means and its default."""
    lines = ["# Written by `make env-example`; every name that a service reads. Secrets: NAME or NAME_FILE."]
    for variable in variables():
        required = "" if variable.optional else " (required)"
        about = f"# {variable.description}{required}" if variable.description else f"#{required}"
        value = f"{variable.name}={variable.default or ''}"
        lines += ["", *([about] if about != "#" else []), f"# {value}" if variable.optional else value]
    return "\n".join(lines) + "\n"


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """Raise ValueError for a `PLUMBLINE_` name that nothing reads, naming the nearest one that is read."""
    read = list(variables())
    known = {each.name for each in read} | {each.name + _FILE for each in read if each.secret}
    open_ended = tuple(name.removesuffix("<NAME>") for name in known if name.endswith("<NAME>"))
    for name in sorted(environment):
        ours = name.startswith(PREFIX) and not name.startswith(_NOT_OURS)
        if not ours or name in known or name.startswith(open_ended):
            continue
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0)
        raise ValueError(f"unknown setting {name}; the nearest known one is {near[0]}")
