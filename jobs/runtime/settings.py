"""Settings: `conf/base.yaml` < `conf/<env>.yaml` < environment variables `WATTLAKE_<SECTION>__<KEY>`.

Read once into frozen typed objects. An unknown key is an error which names the key.
"""

import json
import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from jobs.runtime.errors import UserError

PREFIX = "WATTLAKE_"


def checked_zone(name: str) -> str:
    """The name; ValueError, which a validation reports, where it names no time zone."""
    try:
        ZoneInfo(name)
    # what the library raises depends on what stands in its folder under that name
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError(f"{name!r} is no IANA time zone such as Asia/Shanghai or UTC") from None
    return name


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LakeSettings(_Section):
    """Where the tables are."""

    root: Path = Field(description="Folder of the tables: one folder a layer, in it one a table")


class LandingSettings(_Section):
    """Where deliveries come in."""

    root: Path = Field(description="Folder of landed deliveries: <feed>/<business date>/<delivery id>/")
    complete_after_minutes: int | None = Field(
        None, description="A folder without a manifest counts as complete at this age of its newest file; null = never"
    )


class SiteSettings(_Section):
    """Facts of the place."""

    time_zone: str = Field(description="IANA time zone of local dates and clock times")
    currency: str = Field(description="Currency of bills and prices; columns are named _yuan whatever it is")
    holiday_country: str = Field(description="ISO code of the country whose public holidays hold")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return checked_zone(value)


class SparkSettings(_Section):
    """How a job gets its session."""

    master: str = Field(description="Spark master of a job that runs in its own session")
    remote: str | None = Field(None, description="Spark Connect address (sc://localhost:port); null = own session")
    jars: Path = Field(description="Folder with Delta's jars, filled by `make setup`")
    driver_memory: str = Field(description="Heap of the own session's driver")
    compile_from_rows: int = Field(description="Jobs on fewer rows run interpreted: compiling would take longer")
    conf: dict[str, str] = Field(description="Spark settings of every session, own or remote")
    cluster_conf: dict[str, str] = Field(default_factory=dict, description="Further settings of an own session")


class TrackingSettings(_Section):
    """Where models are tracked and registered."""

    uri: str = Field(description="MLflow tracking and registry address")
    artifacts: Path = Field(description="Folder of artifacts when the tracking store is a database file")
    experiment: str = Field(description="Prefix of the experiments' names")


class SecretsSettings(_Section):
    """Where the keys of pseudonyms and of the vault come from."""

    folder: Path = Field(description="Folder (0700) with the files pseudonym.key and vault.key (0600)")
    generate: bool = Field(
        description="Whether missing keys are made at the first run into an empty lake; for demonstrations and tests"
    )


class QualitySettings(_Section):
    """How data quality is reported."""

    docs: Path = Field(description="Folder of the Great Expectations Data Docs")
    keep_validations: int = Field(description="Results kept for each suite in the Data Docs")
    max_quarantine_share: float = Field(description="A delivery with a larger share of quarantined rows stops the job")


class ValidationSettings(_Section):
    """How intervals are held against registers."""

    register_tariff: str | None = Field(
        None, description="Tariff whose periods the time-of-use registers count by; null = they are not looked at"
    )
    dial_kwh: float = Field(description="What a dial rounds away over a date, kWh")
    interval_kwh: float = Field(description="What an interval rounds away, kWh")
    share: float = Field(description="Share of a date's energy by which intervals and registers of a good meter differ")


class ForecastSettings(_Section):
    """Daily usage forecast."""

    history_days: int = Field(description="Days of history read for training and scoring")
    horizon_days: int = Field(description="Days ahead")
    backtest_origins: int = Field(description="Rolling origins of the back-test")
    train_customers: int = Field(description="Customers whose history is read to the driver, sampled by hash")
    train_rows: int = Field(description="Rows the model is fitted on, sampled by hash")
    seed: int = Field(description="Seed of sampling and fit")


class SegmentSettings(_Section):
    """Behaviour segments."""

    history_days: int = Field(description="Days of history a customer's shape is taken from")
    judge_days: int = Field(description="Latest days kept back to judge a candidate on")
    k_min: int = Field(description="Fewest segments tried")
    k_max: int = Field(description="Most segments tried")
    sample_customers: int = Field(description="Customers the model is fitted on, sampled by hash")
    bootstraps: int = Field(description="Refits by which stability is measured")
    seed: int = Field(description="Seed of sampling and fit")


class Settings(BaseSettings):
    """All settings of a run."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    lake: LakeSettings
    landing: LandingSettings
    site: SiteSettings
    spark: SparkSettings
    tracking: TrackingSettings
    secrets: SecretsSettings
    quality: QualitySettings
    validation: ValidationSettings
    forecast: ForecastSettings
    segments: SegmentSettings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment variables first, then the files which `load_settings` names."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def conf_folder() -> Path:
    """The folder of settings: WATTLAKE_CONF, else `conf` in the working directory, else the installed one."""
    named = os.environ.get(PREFIX + "CONF")
    if named:
        return Path(named)
    here = Path("conf")
    return here if (here / "base.yaml").exists() else Path(__file__).parents[2] / "conf"


def load_settings(env: str | None = None) -> Settings:
    """Settings of an environment. UserError where it is unknown, or a key is unknown, missing or of the wrong type."""
    folder = conf_folder()
    files = [folder / "base.yaml"]
    if env:
        overlay = folder / f"{env}.yaml"
        if not overlay.exists() or "/" in env:
            known = sorted(p.stem for p in folder.glob("*.yaml") if p.stem != "base")
            raise UserError(f"Unknown environment {env!r}. Known: {', '.join(known)} (files in {folder}).")
        files.append(overlay)
    merged: dict[str, Any] = {}
    for file in files:
        merged = _over(merged, read_mapping(file))
    _refuse_unknown_variables()
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise UserError(explained(error)) from None
    except SettingsError as error:
        wrong = ", ".join(_not_json()) or str(error)
        raise UserError(f'Settings cannot be used: {wrong}: write it as JSON, such as {{"key": "value"}}.') from None


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Both, key by key; where both have one, what is above."""
    both = {
        key: _over(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return {**below, **above, **both}


def read_mapping(path: Path) -> dict[str, Any]:
    """What a YAML file declares, nothing for an empty one. UserError where it cannot be read or is no mapping."""
    try:
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): put it there, or set WATTLAKE_CONF.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} cannot be read: save it in UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UserError(f"{path}{place}: this is no YAML ({problem}): mend the file.") from None
    if declared is None:
        return {}
    if not isinstance(declared, dict) or not all(isinstance(key, str) for key in declared):
        raise UserError(f"{path} must be a mapping, lines of `key: value`.")
    return declared


# variables with our prefix which are not settings but tell programs about the run: docs/operations.md, "Variables"
NOT_SETTINGS = frozenset(
    {
        "AIRFLOW_PORT",
        "COMMAND",
        "CONF",
        "CONNECT_JAVA_OPTIONS",
        "CONNECT_PORT",
        "ENV",
        "HOME",
        "MLFLOW_PORT",
        "PARALLEL_JOBS",
        "PSEUDONYM_KEY",
        "SCHEDULE",
        "SPARK_MASTER",
        "SUBMIT",
        "SUBMIT_OPTIONS",
        "VAULT_KEY",
    }
)


def _sections() -> dict[str, type[BaseModel]]:
    kinds = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}


def _variables() -> Iterator[tuple[str, str, str]]:
    """Variables with our prefix, in any case of letters: as written, and the section and key which they name."""
    for variable in sorted(os.environ):
        if variable.upper().startswith(PREFIX):
            section, _, key = variable[len(PREFIX) :].lower().partition("__")
            yield variable, section, key


def _refuse_unknown_variables() -> None:
    sections = _sections()
    for variable, section, key in _variables():
        if variable.removeprefix(PREFIX) in NOT_SETTINGS:
            continue
        if section in sections and key.partition("__")[0] in sections[section].model_fields:
            continue
        known = [f"{name}__{field}".upper() for name, model in sections.items() for field in model.model_fields]
        names = [PREFIX + name for name in (*known, *NOT_SETTINGS)]
        (nearest,) = get_close_matches(variable.upper(), sorted(names), n=1, cutoff=0.0)
        raise UserError(
            f"Unknown variable {variable}: the nearest known is {nearest}. "
            f"Settings are {PREFIX}<SECTION>__<KEY> with a section of: {', '.join(sections)}."
        )


def _not_json() -> list[str]:
    """Variables which hold a whole mapping and are not the JSON which that takes."""
    sections, wrong = _sections(), []
    for variable, section, key in _variables():
        field = sections[section].model_fields.get(key) if section in sections else None
        if field is None or get_origin(field.annotation) is not dict:
            continue
        try:
            json.loads(os.environ[variable])
        except ValueError:
            wrong.append(variable)
    return wrong


# of a settings section, and of a feed's declaration
_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}


def explained(error: ValidationError) -> str:
    """What is wrong with settings, or with what a feed declares, key by key."""
    parts = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        message = "unknown key" if problem["type"] in _UNKNOWN_KEY else problem["msg"].removeprefix("Value error, ")
        parts.append(f"{key}: {message}")
    return "Settings cannot be used: " + "; ".join(parts) + "."
