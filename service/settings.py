"""What an operator may choose, and where it comes from.

Flags win over the environment (``INKFILL_PORT``), the environment over a file (TOML or JSON, named
by ``--config`` or ``INKFILL_CONFIG``), the file over the defaults.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    JsonConfigSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from service.environment import is_linked, unknown_variables
from service.logging import LogFormat, LogLevel

ENV_PREFIX = "INKFILL_"
CONFIG_VARIABLE = "INKFILL_CONFIG"
#: What Kubernetes sets for a Service named inkfill, to ``tcp://...``.
_SERVICE_LINK = "INKFILL_PORT"
#: Flags that are not called what their setting is called.
_FLAGS = {"models": "--model"}
#: What ``device`` takes, which is the one setting with a pattern.
_DEVICES = "auto, cpu, cuda or cuda:N"


class SettingsError(ValueError):
    """Settings that cannot be used; the message names each flag, variable or key at fault."""


class Settings(BaseSettings):
    """How to serve. Build it with ``load_settings``.

    Attributes:
        host: address to listen on.
        port: 0 to 65535; 0 takes a free one.
        models: checkpoint folders, or models of the Hugging Face Hub as ``ORG/NAME`` or
            ``ORG/NAME@REVISION``; none serves the bundled checkpoints. In the environment,
            separated by commas.
        device: ``auto`` takes a GPU if there is one; ``cpu``, ``cuda``, ``cuda:1``.
        max_batch: canvases denoised together, 1 to 4096.
        max_queue: canvases that may wait, and before them prompts that may wait to be encoded, 1 to
            1,000,000 of either.
        max_message_bytes: largest request and largest response, 1 KiB to 1 GiB.
        max_many_in_flight: puzzles of one SolveMany call that are worked on together, 1 to 4096.
        max_searches: exact searches at once, 1 to 1024; absent: one a core, and at least 4. What
            waits for a place spends its caller's time.
        log_level: ``debug``, ``info``, ``warning`` or ``error``.
        log_format: ``json`` or ``console``.
        shutdown_grace_s: seconds that calls in flight get to finish when the server stops.
        max_context: tokens of a prompt and of what follows it at most, for text models; absent: as
            many as the model knows and the memory holds.
        threads: CPU threads that the engine computes with; absent: one a core.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=50051, ge=0, le=65535)
    models: Annotated[tuple[str, ...], NoDecode] = ()
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    max_batch: int = Field(default=64, ge=1, le=4096)
    max_queue: int = Field(default=1024, ge=1, le=1_000_000)
    max_message_bytes: int = Field(default=4 * 2**20, ge=2**10, le=2**30)
    max_many_in_flight: int = Field(default=64, ge=1, le=4096)
    max_searches: int | None = Field(default=None, ge=1, le=1024)
    log_level: LogLevel = "info"
    log_format: LogFormat = "json"
    shutdown_grace_s: float = Field(default=10.0, ge=0, le=3600)
    threads: int | None = Field(default=None, ge=1, le=1024)
    max_context: int | None = Field(default=None, ge=1, le=2**24)

    @field_validator("models", mode="before")
    @classmethod
    def _split_models(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, (list, tuple)):
            return tuple(str(part) if isinstance(part, Path) else part for part in value)
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


def load_settings(config: Path | str | None = None, **flags: Any) -> Settings:
    """Read the settings.

    Args:
        config: a .toml or .json file; None asks ``INKFILL_CONFIG``, and no file is fine too.
        flags: settings by name; None means that the flag was not given.

    Raises:
        SettingsError: naming each setting at fault, where it came from, what was given and what
            is accepted.
    """
    _refuse_unknown_variables()
    path = _config_path(config)
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return _settings_class(path)(**given)
    except ValidationError as error:
        reasons = (_reason(dict(fault), given, path) for fault in error.errors())
        raise SettingsError("; ".join(reasons)) from None
    except (ValueError, TypeError, OSError, RecursionError) as error:  # no TOML or JSON, no table
        raise SettingsError(f"{path}: cannot be read: {error}") from None


def _refuse_unknown_variables() -> None:
    known = [ENV_PREFIX + name.upper() for name in Settings.model_fields]
    if said := unknown_variables(os.environ, ENV_PREFIX, [*known, CONFIG_VARIABLE]):
        raise SettingsError("; ".join(said))


def _config_path(config: Path | str | None) -> Path | None:
    named = config or os.environ.get(CONFIG_VARIABLE)
    if not named:
        return None
    path = Path(named)
    source = "--config" if config else CONFIG_VARIABLE
    if path.suffix not in {".toml", ".json"}:
        raise SettingsError(f"{source}: got {path}, accepted: a .toml or .json file")
    if not path.is_file():
        raise SettingsError(f"{source}: {path} is not a file")
    return path


def _settings_class(path: Path | None) -> type[Settings]:
    """``Settings`` that also reads the file at ``path``."""
    if path is None:
        return Settings
    file = path

    class FileSettings(Settings):
        """Flags, then the environment, then the file."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic's signature
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, _file_source(settings_cls, file)

    return FileSettings


def _file_source(settings_cls: type[BaseSettings], path: Path) -> PydanticBaseSettingsSource:
    if path.suffix == ".toml":
        return TomlConfigSettingsSource(settings_cls, path)
    return JsonConfigSettingsSource(settings_cls, path)


def _reason(fault: dict[str, Any], given: dict[str, Any], path: Path | None) -> str:
    """One fault as a line: where it came from, what was given, what is accepted."""
    name = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return f"{_source(name, given, path)}: no such setting; accepted: {known}"
    source = _source(name, given, path)
    reason = f"{source}: got {fault['input']!r}, accepted: {_accepted(name, fault)}"
    if source == _SERVICE_LINK and is_linked(str(fault["input"])):
        reason += (
            "; Kubernetes sets this variable in every pod beside a Service named inkfill: put "
            "enableServiceLinks: false into the pod's spec, or name the Service otherwise"
        )
    return reason


def _accepted(name: str, fault: dict[str, Any]) -> str:
    if fault["type"] == "string_pattern_mismatch":
        return _DEVICES
    if fault["type"] in {"greater_than_equal", "less_than_equal"}:
        bounds = Settings.model_fields[name].metadata
        least, most = (
            next(getattr(bound, end) for bound in bounds if hasattr(bound, end))
            for end in ("ge", "le")
        )
        return f"{least} to {most}"
    return str(fault["msg"]).removeprefix("Input should be ")


def _source(name: str, given: dict[str, Any], path: Path | None) -> str:
    if name in given:
        return _FLAGS.get(name, f"--{name.replace('_', '-')}")
    variable = ENV_PREFIX + name.upper()
    if any(variable == key.upper() for key in os.environ):
        return variable
    return f"{name} in {path}"
