"""Every error Touchstone raises on purpose; foreign ones are translated in the file that owns their library.

Beside each error stands its code.

TouchstoneError
├── MediaError               one item could not be examined; the others still are
│   ├── EmptyMedia "empty" · UnsupportedMedia "unsupported"
│   ├── DamagedMedia "damaged" · LimitExceeded "too_large"
│   ├── TooSmall "too_small" · UnreadableMedia "unreadable"
│   ├── DecodeTimeout "timeout" · DecoderCrashed "decoder_crashed"
│   ├── BadRow "bad_row" · FetchFailed "fetch_failed"
│   ├── AddressRefused "address_refused" · PartLost "part_lost"
│   └── Abandoned "abandoned"
├── ModelError               a model file cannot be used
│   ├── ModelNotFound "model_not_found" · ModelTampered "model_tampered"
│   └── ParityError "parity"
├── TrainingError            a training run cannot start or go on
│   ├── ConfigMismatch "config_mismatch" · DataError "data"
│   └── Diverged "diverged"
├── ProvenanceError          credentials cannot be made or judged
│   └── SigningError "signing" · TrustError "trust"
├── SettingsError "settings"
├── OutputError "output"
├── StoreError "store"
│   ├── StoreUnavailable "store_unavailable" · StoreTooNew "store_too_new"
│   ├── StoreFull "store_full" · NoSuchJob "no_such_job"
│   ├── NoSuchWebhook "no_such_webhook" · NoSuchMedium "no_such_medium"
│   └── KeyConflict "key_conflict"
├── AccessError              somebody may not do what they asked for
│   ├── KeyRefused "key_refused" · ScopeMissing "scope_missing"
│   └── ForeignPage "foreign_page" · TooMany "too_many"
├── RequestError             a request to the API cannot be understood
│   └── NotThere "not_there" · RequestTooLarge "request_too_large"
├── ClientError              a program that asks a server gets no answer it can use
│   └── ApiRefused "api_refused" · ApiUnreachable "api_unreachable"
└── UsageError "usage"
"""

from __future__ import annotations


class TouchstoneError(Exception):
    """Raised when Touchstone stops on purpose; the base of every error below.

    `message` says what was found and allowed, `advice` what to do: whole sentences, fit for anybody.
    """

    code = "error"

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()

    def __reduce__(self) -> tuple[type[TouchstoneError], tuple[str, str]]:
        # Errors cross process borders (decode children, workers) by pickle.
        return type(self), (self.message, self.advice)


class MediaError(TouchstoneError):
    """Raised when one medium cannot be examined; its report says `status: unable`."""

    code = "media"


class EmptyMedia(MediaError):
    """Raised when a file holds no bytes."""

    code = "empty"


class UnsupportedMedia(MediaError):
    """Raised when the leading bytes name no image or video format we decode."""

    code = "unsupported"


class DamagedMedia(MediaError):
    """Raised when the format is known but the content cannot be decoded."""

    code = "damaged"


class LimitExceeded(MediaError):
    """Raised when bytes, pixels, frames or seconds exceed the limits in the settings."""

    code = "too_large"


class TooSmall(MediaError):
    """Raised when a picture has too few pixels for there to be anything to examine."""

    code = "too_small"


class UnreadableMedia(MediaError):
    """Raised when the file is missing, vanished, is no regular file or may not be read."""

    code = "unreadable"


class DecodeTimeout(MediaError):
    """Raised when a decode took longer than its time limit."""

    code = "timeout"


class DecoderCrashed(MediaError):
    """Raised when the sandboxed child that parsed the file died."""

    code = "decoder_crashed"


class BadRow(MediaError):
    """Raised when a row of a batch names no file."""

    code = "bad_row"


class PartLost(MediaError):
    """Raised when one part of a long video could not be scanned, so that nothing is said of the whole."""

    code = "part_lost"


class FetchFailed(MediaError):
    """Raised when a medium that was named by an address could not be fetched from there."""

    code = "fetch_failed"


class AddressRefused(MediaError):
    """Raised when a medium was named by an address that leads into a network of our own."""

    code = "address_refused"


class Abandoned(MediaError):
    """Raised when nobody wants the result any more: the job was cancelled, or the worker stops."""

    code = "abandoned"


class ModelError(TouchstoneError):
    """Raised when a model file cannot be used."""

    code = "model"


class ModelNotFound(ModelError):
    """Raised when no installed model carries the requested name."""

    code = "model_not_found"


class ModelTampered(ModelError):
    """Raised when a model file's sha256 differs from the registry's."""

    code = "model_tampered"


class ParityError(ModelError):
    """Raised when an exported graph does not agree with the network it came from."""

    code = "parity"


class TrainingError(TouchstoneError):
    """Raised when a training run cannot start or cannot go on."""

    code = "training"


class ConfigMismatch(TrainingError):
    """Raised when a run is resumed with another configuration than it began with."""

    code = "config_mismatch"


class DataError(TrainingError):
    """Raised when training or evaluation data is missing or unfit."""

    code = "data"


class Diverged(TrainingError):
    """Raised when a loss or a weight is no longer finite."""

    code = "diverged"


class ProvenanceError(TouchstoneError):
    """Raised when Content Credentials cannot be made or judged."""

    code = "provenance"


class SigningError(ProvenanceError):
    """Raised when a file cannot be signed: its format, the key or the certificate does not allow it."""

    code = "signing"


class TrustError(ProvenanceError):
    """Raised when a trust list or a certificate cannot be read, or is not the one that was added."""

    code = "trust"


class SettingsError(TouchstoneError):
    """Raised when a setting has a value that cannot be used."""

    code = "settings"


class OutputError(TouchstoneError):
    """Raised when a result cannot be written (full disk, missing folder, no permission)."""

    code = "output"


class StoreError(TouchstoneError):
    """Raised when the job store cannot do what it was asked."""

    code = "store"


class StoreUnavailable(StoreError):
    """Raised when the job store's database cannot be reached or opened."""

    code = "store_unavailable"


class StoreTooNew(StoreError):
    """Raised when a later version of Touchstone made the job store."""

    code = "store_too_new"


class StoreFull(StoreError):
    """Raised when the job store's disk is full; what was accepted before is safe."""

    code = "store_full"


class NoSuchJob(StoreError):
    """Raised when a job is not there, or belongs to another tenant."""

    code = "no_such_job"


class NoSuchMedium(StoreError):
    """Raised when a file is not stored, or its sha256 was never handed in by this tenant."""

    code = "no_such_medium"


class NoSuchWebhook(StoreError):
    """Raised when a webhook or a delivery is not there, or belongs to another tenant."""

    code = "no_such_webhook"


class KeyConflict(StoreError):
    """Raised when an idempotency key comes again with another request."""

    code = "key_conflict"


class AccessError(TouchstoneError):
    """Raised when somebody may not do what they asked the API for."""

    code = "access"


class KeyRefused(AccessError):
    """Raised when an API key is missing where one is needed, unknown, expired or revoked."""

    code = "key_refused"


class ScopeMissing(AccessError):
    """Raised when an API key is valid, but not for this."""

    code = "scope_missing"


class ForeignPage(AccessError):
    """Raised when a page of another site, or a name that is not this server's, asks for something."""

    code = "foreign_page"


class TooMany(AccessError):
    """Raised when a tenant asks more often, or for more, than the settings allow.

    `retry_after_seconds` says when it is worth another try.
    """

    code = "too_many"
    retry_after_seconds = 1.0


class RequestError(TouchstoneError):
    """Raised when a request to the API cannot be understood."""

    code = "bad_request"


class NotThere(RequestError):
    """Raised when a part of something does not exist: a picture that was not made, a file nobody holds."""

    code = "not_there"


class RequestTooLarge(RequestError):
    """Raised when the body of a request has more bytes than are allowed."""

    code = "request_too_large"


class ClientError(TouchstoneError):
    """Raised when a program that asks a Touchstone server gets no answer it can use."""

    code = "client"


class ApiRefused(ClientError):
    """Raised when a server refuses what was asked; `reason` is its own code, `status` that of HTTP."""

    code = "api_refused"

    def __init__(self, message: str, advice: str = "", *, reason: str = "", status: int = 0) -> None:
        super().__init__(message, advice)
        self.reason, self.status = reason, status


class ApiUnreachable(ClientError):
    """Raised when a server does not answer, however often it is asked."""

    code = "api_unreachable"


class UsageError(TouchstoneError):
    """Raised when a command is called with arguments that do not fit together."""

    code = "usage"
