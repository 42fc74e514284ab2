"""The error hierarchy: one root, stable codes, and whether a retry is safe.

A code is part of the public contract: callers branch on it, links rebuild the error from it, and one table at
the HTTP edge turns it into a status. A message never contains assessed content.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """Stable identifiers of everything that can go wrong, for programs to branch on."""

    INVALID_REQUEST = "INVALID_REQUEST"
    CONTENT_TOO_LARGE = "CONTENT_TOO_LARGE"
    UNPROCESSABLE_CONTENT = "UNPROCESSABLE_CONTENT"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    POLICY_NOT_FOUND = "POLICY_NOT_FOUND"
    POLICY_INVALID = "POLICY_INVALID"
    POLICY_SCHEMA_UNSUPPORTED = "POLICY_SCHEMA_UNSUPPORTED"
    POLICY_STATE = "POLICY_STATE"
    FOUR_EYES = "FOUR_EYES"
    FRAMEWORK_NOT_FOUND = "FRAMEWORK_NOT_FOUND"
    EDITION_NOT_FOUND = "EDITION_NOT_FOUND"
    SCHEMA_UNKNOWN = "SCHEMA_UNKNOWN"
    CATEGORY_NOT_FOUND = "CATEGORY_NOT_FOUND"
    DETECTOR_NOT_FOUND = "DETECTOR_NOT_FOUND"
    DETECTOR_INVALID = "DETECTOR_INVALID"
    DETECTOR_PROBE_FAILED = "DETECTOR_PROBE_FAILED"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    UNAUTHORIZED = "UNAUTHORIZED"
    INSUFFICIENT_RBAC = "INSUFFICIENT_RBAC"
    TENANT_MISMATCH = "TENANT_MISMATCH"
    RATE_LIMITED = "RATE_LIMITED"
    JOB_QUEUE_FULL = "JOB_QUEUE_FULL"
    JOB_INTERRUPTED = "JOB_INTERRUPTED"
    TRAINING_FAILED = "TRAINING_FAILED"
    DETECTOR_OVERLOADED = "DETECTOR_OVERLOADED"
    ALL_DETECTORS_UNAVAILABLE = "ALL_DETECTORS_UNAVAILABLE"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    UPSTREAM_INVALID_RESPONSE = "UPSTREAM_INVALID_RESPONSE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    CATALOGUE_INVALID = "CATALOGUE_INVALID"
    RELEASE_GATE_FAILED = "RELEASE_GATE_FAILED"
    RELEASE_STATE = "RELEASE_STATE"
    DOCUMENT_INVALID = "DOCUMENT_INVALID"
    ACCURACY_TOO_LOW = "ACCURACY_TOO_LOW"
    TEMPLATE_FAILED = "TEMPLATE_FAILED"
    TEMPLATE_LIMIT = "TEMPLATE_LIMIT"
    EVIDENCE_INVALID = "EVIDENCE_INVALID"
    ARTIFACT_CORRUPTED = "ARTIFACT_CORRUPTED"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    MODEL_INVALID = "MODEL_INVALID"
    MODEL_STATE = "MODEL_STATE"
    MODEL_INCOMPATIBLE = "MODEL_INCOMPATIBLE"
    MODEL_BELOW_GATE = "MODEL_BELOW_GATE"
    CONFIGURATION_INVALID = "CONFIGURATION_INVALID"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class ServiceError(Exception):
    """Root of every error that llama-mapper raises on purpose.

    `error_code` is one of `ErrorCode`; `retryable` says whether sending the same request again is safe and may
    succeed. `retry_after_s` is the suggested wait in seconds, where one is known.
    """

    default_code: ClassVar[ErrorCode] = ErrorCode.INTERNAL_ERROR
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        error_code: ErrorCode | None = None,
        retryable: bool | None = None,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code or self.default_code
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after_s = retry_after_s


class OrchestrationError(ServiceError):
    """Detectors could not be run as the policy asks."""


class AnalysisError(ServiceError):
    """The findings could not be analysed."""


class MappingError(ServiceError):
    """The findings could not be mapped to the taxonomy or to a framework."""


class ModelServingError(ServiceError):
    """A model server did not answer, or answered what cannot be used."""

    default_code = ErrorCode.SERVICE_UNAVAILABLE
    default_retryable = True


class ValidationError(ServiceError):
    """The caller sent something that is not valid; sending it again gives the same answer."""

    default_code = ErrorCode.INVALID_REQUEST


class PolicyEnforcementError(ServiceError):
    """A policy bundle is missing, does not compile, or decided something that cannot be carried out."""

    default_code = ErrorCode.POLICY_INVALID


class NotFoundError(ServiceError):
    """The thing named does not exist, or belongs to another tenant: the two look alike to the caller."""

    default_code = ErrorCode.NOT_FOUND


class AuthenticationError(ServiceError):
    """No credential, or one that is unknown, revoked or expired."""

    default_code = ErrorCode.UNAUTHORIZED


class AuthorizationError(ServiceError):
    """The credential is good and does not permit this."""

    default_code = ErrorCode.INSUFFICIENT_RBAC


class RateLimitError(ServiceError):
    """The caller sent more requests than it may; the same request may be sent again after a while."""

    default_code = ErrorCode.RATE_LIMITED
    default_retryable = True


class StoreError(ServiceError):
    """A store did not do what it promised; nothing was half-written."""

    default_code = ErrorCode.STORE_UNAVAILABLE
    default_retryable = True


class LinkError(ServiceError):
    """Another context could not be reached, or answered outside its contract."""

    default_code = ErrorCode.SERVICE_UNAVAILABLE
    default_retryable = True


class ConfigurationError(ServiceError):
    """The settings or the installation do not permit what was asked; nothing was started."""

    default_code = ErrorCode.CONFIGURATION_INVALID


class CatalogueError(ServiceError):
    """The shipped taxonomy, vocabularies or crosswalk contradict themselves."""

    default_code = ErrorCode.CATALOGUE_INVALID


class DocumentError(ServiceError):
    """An uploaded vocabulary, framework or crosswalk breaks the rules; `problems` has (where, what) of every one."""

    default_code = ErrorCode.DOCUMENT_INVALID

    problems: tuple[tuple[str, str], ...] = ()


class TemplateError(ServiceError):
    """A report template breaks on what it was given, or takes more than it may; the same again does the same."""

    default_code = ErrorCode.TEMPLATE_FAILED


class EvidenceError(ServiceError):
    """An evidence document is malformed, was changed, or was signed by an unknown key."""

    default_code = ErrorCode.EVIDENCE_INVALID


class ArtifactError(ServiceError):
    """Stored bytes are not those of their digest; nothing uses them."""

    default_code = ErrorCode.ARTIFACT_CORRUPTED


class ModelRegistryError(ServiceError):
    """A model's state, its figures or the catalogue beside it do not permit what was asked."""

    default_code = ErrorCode.MODEL_STATE


_BY_CODE: dict[ErrorCode, type[ServiceError]] = {
    ErrorCode.POLICY_NOT_FOUND: PolicyEnforcementError,
    ErrorCode.POLICY_INVALID: PolicyEnforcementError,
    ErrorCode.POLICY_SCHEMA_UNSUPPORTED: PolicyEnforcementError,
    ErrorCode.POLICY_STATE: PolicyEnforcementError,
    ErrorCode.FOUR_EYES: AuthorizationError,
    ErrorCode.FRAMEWORK_NOT_FOUND: ValidationError,
    ErrorCode.EDITION_NOT_FOUND: ValidationError,
    ErrorCode.SCHEMA_UNKNOWN: ValidationError,
    ErrorCode.CATEGORY_NOT_FOUND: ValidationError,
    ErrorCode.DETECTOR_NOT_FOUND: NotFoundError,
    ErrorCode.DETECTOR_INVALID: ValidationError,
    ErrorCode.DETECTOR_PROBE_FAILED: OrchestrationError,
    ErrorCode.MODEL_NOT_FOUND: NotFoundError,
    ErrorCode.MODEL_INVALID: ValidationError,
    ErrorCode.MODEL_INCOMPATIBLE: ModelRegistryError,
    ErrorCode.MODEL_BELOW_GATE: ModelRegistryError,
    ErrorCode.CONTENT_TOO_LARGE: ValidationError,
    ErrorCode.UNPROCESSABLE_CONTENT: ValidationError,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: ValidationError,
    ErrorCode.METHOD_NOT_ALLOWED: ValidationError,
    ErrorCode.IDEMPOTENCY_CONFLICT: ValidationError,
    ErrorCode.TENANT_MISMATCH: AuthorizationError,
    ErrorCode.JOB_QUEUE_FULL: OrchestrationError,
    ErrorCode.TRAINING_FAILED: MappingError,
    ErrorCode.DETECTOR_OVERLOADED: OrchestrationError,
    ErrorCode.ALL_DETECTORS_UNAVAILABLE: OrchestrationError,
    ErrorCode.REQUEST_TIMEOUT: OrchestrationError,
    ErrorCode.UPSTREAM_INVALID_RESPONSE: LinkError,
    ErrorCode.RELEASE_GATE_FAILED: MappingError,
    ErrorCode.RELEASE_STATE: MappingError,
    ErrorCode.ACCURACY_TOO_LOW: MappingError,
    ErrorCode.TEMPLATE_LIMIT: TemplateError,
} | {
    kind.default_code: kind
    for kind in (
        ValidationError,
        NotFoundError,
        AuthenticationError,
        AuthorizationError,
        RateLimitError,
        StoreError,
        LinkError,
        ConfigurationError,
        CatalogueError,
        DocumentError,
        TemplateError,
        EvidenceError,
        ArtifactError,
        ModelRegistryError,
    )
}


def error_from_code(code: str, message: str, *, retryable: bool, retry_after_s: float | None = None) -> ServiceError:
    """Rebuild the error that another process raised from its code; an unknown code becomes `INTERNAL_ERROR`."""
    try:
        known = ErrorCode(code)
    except ValueError:
        known = ErrorCode.INTERNAL_ERROR
    return _BY_CODE.get(known, ServiceError)(message, known, retryable, retry_after_s=retry_after_s)
