"""The settings of scans and service: `TOUCHSTONE_*` in the environment, then `touchstone.toml`, then these.

`TOUCHSTONE_*_FILE` names a file that holds the value of one: secrets come that way.
Read once by each process with `load_settings()`; `touchstone doctor` prints what is in force.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from evidence.errors import SettingsError
from evidence.limits import DecodeLimits
from evidence.medium import Sampling
from worker.secret_files import values_of_files, without_password

_LIMITS = DecodeLimits()

Device = Literal["auto", "cpu", "cuda", "tensorrt"]


def _data_dir() -> Path:
    """Where this machine keeps a program's own data; `evidence.faces` looks there for a face model."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "touchstone"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "touchstone"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "touchstone"


class Settings(BaseSettings):
    """Everything about a scan and the service that is not the medium or the model.

    Bytes, pixels and seconds carry their unit in their name; `every_seconds` and `sample_frames`
    say which frames of a video are judged, `tiles_per_image` and `tiles_per_frame` how much of each.
    """

    model_config = SettingsConfigDict(
        env_prefix="TOUCHSTONE_", toml_file="touchstone.toml", frozen=True, extra="forbid"
    )

    model: str = Field("", description="detector by name or path; empty is the default one")
    device: Device = Field("auto", description="where the detector runs")
    threads: int | None = Field(
        None, ge=1, description="threads of ONNX Runtime; empty: the cores we may use"
    )
    decoders: int = Field(2, ge=1, le=64, description="decode children beside the detector")
    batch: int = Field(16, ge=1, le=256, description="tiles in one call of the detector")
    models: str = Field("", description="further folders of models, divided by the path separator")
    face_model: Path | None = Field(None, description="a YuNet face finder; empty: the data folder's, if any")
    inception: str = Field("", description="the Inception weights for metrics; empty: torch's cache")
    data_dir: Path = Field(default_factory=_data_dir, description="where fetched files are kept")

    database_url: str = Field("", description="the job store; empty: jobs.db in the data folder, by SQLite")
    broker_url: str = Field("", description="Redis, for workers on many machines; empty: workers of our own")
    media_dir: Path | None = Field(
        None, description="where uploads and pictures of jobs lie; empty: media in the data folder"
    )
    workers: int = Field(
        2,
        ge=0,
        le=64,
        description="worker processes beside the API; of several the first half is for people who wait, "
        "the others do batches and give way",
    )
    lease_seconds: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="a worker that is silent for so long has lost its work"
    )
    retention_days: float = Field(
        30.0, ge=0, allow_inf_nan=False, description="jobs are kept so long after their end; 0 keeps nothing"
    )

    look_for_watermark: bool = Field(
        True, description="scans look for the watermark of what was generated here, 0.02 s a medium"
    )

    webhook_private: bool = Field(False, description="webhooks may go to addresses of your own network")
    webhook_sender: bool = Field(
        True,
        description="whether Celery workers send webhooks, as the API does; false where they have no way out",
    )

    fetch_web: bool = Field(False, description="whether media may be named by an address of the web")
    fetch_private: bool = Field(False, description="such addresses may be of your own network; for tests")
    fetch_seconds: float = Field(
        120.0, gt=0, allow_inf_nan=False, description="fetching one medium may take so long"
    )
    places: str = Field(
        "", description="places such as s3://bucket/prefix that batches may name, divided by spaces"
    )
    s3_endpoint: str = Field("", description="the address of an S3 that is not Amazon's, such as MinIO's")

    transparency_log: bool = Field(
        True,
        description="whether the service's verdicts, and what is generated, go into the transparency log",
    )
    log_key: Path | None = Field(
        None,
        description="the file of the key that signs the log; empty: log/key in the data folder",
    )
    signing: bool = Field(
        False, description="whether the service signs media for keys of the scope `sign`, with its own key"
    )
    signing_cert: Path | None = Field(
        None, description="the service's certificates for that; empty: this machine's development authority"
    )
    signing_key: Path | None = Field(None, description="the file of the key that belongs to them")
    signing_command: str = Field(
        "", description="a program that signs standard input instead of a key (a KMS)"
    )
    registry: bool = Field(
        True,
        description="whether scanned and generated media are remembered, and traced when they come again",
    )

    every_seconds: float = Field(
        0.5, gt=0, allow_inf_nan=False, description="one frame of a video each so many seconds"
    )
    sample_frames: int = Field(600, ge=1, description="at most so many frames of one video")
    tiles_per_image: int = Field(64, ge=1, description="at most so many tiles of a still picture")
    tiles_per_frame: int = Field(12, ge=1, description="at most so many tiles of a video frame")

    max_bytes: int = Field(_LIMITS.max_bytes, ge=1, description="a larger file is refused")
    max_pixels: int = Field(
        _LIMITS.max_pixels, ge=1, description="a larger picture is refused, before it is decoded"
    )
    max_frames: int = Field(
        _LIMITS.max_frames, ge=1, description="at most so many frames of one medium are decoded"
    )
    max_seconds: float = Field(_LIMITS.max_seconds, gt=0, description="a longer video is refused")
    decode_seconds: float = Field(
        _LIMITS.decode_seconds, gt=0, description="decoding one medium may take so long"
    )
    child_memory_bytes: int = Field(
        _LIMITS.child_memory_bytes, ge=1, description="memory of one decode child"
    )

    part_tiles: int = Field(
        2_500,
        ge=0,
        description="a long video is cut among workers into parts of at least so much work, in tiles of the "
        "detector; 0 never cuts one",
    )

    host: str = Field("127.0.0.1", description="the address the service listens on")
    port: int = Field(8700, ge=0, le=65535, description="its port; 0 takes a free one")
    hosts: str = Field(
        "", description="names this server answers to besides its own, divided by commas; * is any name"
    )
    folders: str = Field(
        "", description="folders that batches may name, divided by the path separator; empty: none"
    )
    testset_folders: str = Field(
        "",
        description="folders of reals that test sets of the API may name, by their last names, divided by "
        "the path separator; empty: only the shared sets of TOUCHSTONE_DATA",
    )
    testset_pictures: int = Field(
        20_000, ge=1, description="a larger test set is refused over the API, before anything is made"
    )
    testset_bytes: int = Field(
        8 * 2**30, ge=1, description="a test set whose pictures take more is given up over the API"
    )
    max_body_bytes: int = Field(
        16 * 2**20, ge=1024, description="a larger request is refused; uploads have max_bytes"
    )
    free_bytes: int = Field(
        256 * 2**20, ge=0, description="nothing is accepted while the disk has less room than this"
    )
    wait_seconds: float = Field(
        30.0, ge=0, allow_inf_nan=False, description="an answer is held back at most so long (`Prefer: wait`)"
    )
    requests_per_minute: int = Field(
        1200, ge=0, description="requests a tenant may make each minute; 0 is no limit"
    )
    jobs_per_day: int = Field(0, ge=0, description="jobs a tenant may submit in 24 hours; 0 is no limit")
    waiting_jobs: int = Field(
        100_000, ge=1, description="jobs of a tenant that may wait or run at the same time"
    )

    @property
    def limits(self) -> DecodeLimits:
        """What one medium may cost before it is refused."""
        return DecodeLimits(**{field.name: getattr(self, field.name) for field in fields(DecodeLimits)})

    @property
    def sampling(self) -> Sampling:
        """Which frames of a video are judged unless the caller asks for others."""
        return Sampling(every_seconds=self.every_seconds, max_frames=self.sample_frames)

    @property
    def model_folders(self) -> tuple[Path, ...]:
        """The folders of `models`."""
        return tuple(Path(folder).expanduser() for folder in self.models.split(os.pathsep) if folder)

    @property
    def store_url(self) -> str:
        """The address of the job store; the folder of a SQLite one is made."""
        if self.database_url:
            return self.database_url
        self.data_dir.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{self.data_dir / 'jobs.db'}"

    @property
    def media_folder(self) -> Path:
        """Where uploads and the pictures of jobs lie."""
        return self.media_dir or self.data_dir / "media"

    @property
    def trust_folder(self) -> Path:
        """Where the trust lists lie."""
        return self.data_dir / "trust"

    @property
    def log_folder(self) -> Path:
        """Where the transparency log's key and its last head lie."""
        return self.data_dir / "log"

    @property
    def watermark_key(self) -> Path:
        """The secret that pictures are marked with."""
        return self.data_dir / "watermark" / "key"

    @property
    def generated_key(self) -> Path:
        """The secret that what the suite makes is marked with, and nothing else."""
        return self.data_dir / "watermark" / "generated"

    @property
    def batch_folders(self) -> tuple[Path, ...]:
        """The folders of `folders`, without links in them."""
        return tuple(
            Path(folder).expanduser().resolve() for folder in self.folders.split(os.pathsep) if folder
        )

    @property
    def testset_roots(self) -> dict[str, Path]:
        """The folders of `testset_folders` by their last names, without links in them."""
        named = (Path(folder).expanduser() for folder in self.testset_folders.split(os.pathsep) if folder)
        return {folder.name: folder.resolve() for folder in named}

    @property
    def faces(self) -> Path | None:
        """The face model to find faces with, or None where none is installed."""
        from evidence.faces import find_face_model  # OpenCV, which reading settings does not need

        return self.face_model or find_face_model(self.data_dir)

    @property
    def batch_places(self) -> tuple[str, ...]:
        """The places of `places`."""
        return tuple(place.rstrip("/") for place in self.places.split())

    def fingerprint(self, *parts: object) -> str:
        """Twelve hex digits of what decides a result besides the medium: tiles, and the given parts."""
        text = repr((self.tiles_per_image, self.tiles_per_frame, *parts))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def shown(self) -> dict[str, object]:
        """What is in force, as it may be printed: without the passwords in addresses."""
        return {name: without_password(value) for name, value in self.model_dump(mode="json").items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before environment, and files it names, before `touchstone.toml`."""
        prefix = settings_cls.model_config["env_prefix"]
        secrets = values_of_files(settings_cls.model_fields, os.environ, prefix)
        files = InitSettingsSource(settings_cls, init_kwargs=dict(secrets))
        return init_settings, env_settings, files, TomlConfigSettingsSource(settings_cls)


def load_settings(**overrides: object) -> Settings:
    """The settings in force; `overrides` that are None are left to environment and file.

    Raises SettingsError, naming the setting and what was found.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        raise SettingsError(
            f"The setting {name!r} cannot be used: {first['msg']} (found {first.get('input')!r}).",
            f"Correct TOUCHSTONE_{name.upper()} or touchstone.toml; `touchstone doctor` lists the settings.",
        ) from None
    except (tomllib.TOMLDecodeError, OSError) as error:
        raise SettingsError(
            f"touchstone.toml cannot be read: {error}.", "Correct the file or remove it."
        ) from None
