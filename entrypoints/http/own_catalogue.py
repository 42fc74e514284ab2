"""A tenant's own vocabularies and frameworks over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.own_catalogue import (
    FrameworkDeskApi,
    FrameworkUpload,
    OwnFramework,
    OwnFrameworkList,
    OwnVocabulary,
    OwnVocabularyList,
    VocabularyDeskApi,
    VocabularyUpload,
)
from llama_mapper.domain.kernel.errors import ErrorCode
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.curators import curated, matching, named
from llama_mapper.entrypoints.http.documents import TAG, Documents, document_operations
from llama_mapper.entrypoints.http.operations import Operation

_READ = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND)
_EXAMPLE: dict[str, object] = {
    "source": "The vendor's handbook, chapter 4",
    "basis": "docs",
    "versions": {"2": {"labels": {"pii.personal_identifiers.email": ["MAIL"]}}},
}
_FRAMEWORK_EXAMPLE: dict[str, object] = {
    "title": "Acme data policy, edition of 2026",
    "applies_when": "Always.",
    "controls": {"D-1": {"title": "No customer addresses in prompts", "evidence": "The prompt gateway's log."}},
    "crosswalk": {"pii.personal_identifiers": {"rationale": "An address identifies a customer.", "controls": ["D-1"]}},
}


def vocabulary_operations(api: VocabularyDeskApi) -> list[Operation]:
    """`/v1/vocabularies` and what hangs below it."""

    async def listed(_: Request, principal: Principal) -> Response:
        return json_answer(await api.list(principal.tenant_for(None)))

    path, summary = "/v1/vocabularies", "The tenant's own vocabularies."
    return [
        curated(TAG, "listVocabularies", "GET", path, summary, listed, OwnVocabularyList, errors=_READ),
        *document_operations(api, _VOCABULARIES),
    ]


def framework_operations(api: FrameworkDeskApi) -> list[Operation]:
    """What hangs below `/v1/frameworks`, but for the list of all editions."""

    async def listed(_: Request, principal: Principal) -> Response:
        return json_answer(await api.list(principal.tenant_for(None)))

    path, summary = "/v1/frameworks:own", "The editions that the tenant uploaded, with their content."
    return [
        curated(TAG, "listOwnFrameworks", "GET", path, summary, listed, OwnFrameworkList, errors=_READ),
        *document_operations(api, _FRAMEWORKS),
    ]


def _vendor(request: Request, principal: Principal) -> tuple[str, str]:
    vendor = matching(
        named(request, "vendor"),
        "[a-z][a-z0-9_]{0,47}",
        "a vendor's name has 1 to 48 small letters, digits and underscores, and begins with a letter",
    )
    return principal.tenant_for(None), vendor


def _edition(request: Request, principal: Principal) -> tuple[str, str, str]:
    framework = matching(
        named(request, "framework"),
        "[a-z][a-z0-9_]{0,31}",
        "a framework's name has 1 to 32 small letters, digits and underscores, and begins with a letter",
    )
    edition = matching(
        named(request, "edition"),
        "[A-Za-z0-9][A-Za-z0-9_.-]{0,30}",
        "an edition's name has 1 to 31 letters, digits, '_', '.' and '-', and begins with a letter or digit",
    )
    return principal.tenant_for(None), framework, edition


_VOCABULARIES = Documents(
    noun="Vocabulary",
    path="/v1/vocabularies/{vendor}",
    place=_vendor,
    upload=VocabularyUpload,
    answer=OwnVocabulary,
    example=_EXAMPLE,
    putting="Say what a vendor's labels mean to the tenant; it stands over what is shipped, within two seconds.",
    getting="A vocabulary of the tenant.",
    removing="Take a vocabulary away; its versions stay.",
)
_FRAMEWORKS = Documents(
    noun="Framework",
    path="/v1/frameworks/{framework}/editions/{edition}",
    place=_edition,
    upload=FrameworkUpload,
    answer=OwnFramework,
    example=_FRAMEWORK_EXAMPLE,
    putting="Upload an edition of a framework of the tenant's own; requests may name it within two seconds.",
    getting="An edition that the tenant uploaded.",
    removing="Let no further request name an edition; records keep what they say, and its versions stay.",
)
