"""The library door: the whole chain inside an application, asynchronous or plain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError as PydanticError

from llama_mapper.domain.contracts.assessment import Assessment, AssessmentRecord, AssessmentRequest
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelMappingResponse, LabelQuery, OutputFormat
from llama_mapper.domain.contracts.orchestration import ContentType, Message, ProcessingMode, Redacted
from llama_mapper.domain.contracts.refusals import refusal_of
from llama_mapper.domain.kernel.tenancy import LOCAL_TENANT
from llama_mapper.domain.kernel.tracing import Step, first_step
from llama_mapper.domain.orchestration.ports import Detector
from llama_mapper.domain.orchestration.redaction import redact

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from llama_mapper.entrypoints.containers.running import Running


class LlamaMapper:
    """The chain in this process. Open it once and share it; it may be used from many tasks of its event loop."""

    def __init__(self, running: Running, tenant_id: str) -> None:
        """Use `open` instead."""
        self._running = running
        self._tenant_id = tenant_id

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        tenant_id: str = LOCAL_TENANT,
        wait_for_detectors_s: float = 60.0,
        more_detectors: Sequence[Detector] = (),
        **settings: Any,
    ) -> AsyncIterator[LlamaMapper]:
        """Start the chain and stop it at the end of the block.

        `settings` are those of `docs/configuration.md` by their field names (`data_dir=…`, `database_url=…`); what is
        not given comes from the environment. `tenant_id` owns everything that this object does. Detectors load in
        worker processes; `open` waits for them up to `wait_for_detectors_s` seconds, after which the missing ones
        are reported as unavailable. `more_detectors` are detectors of your own, asked beside the shipped ones for the
        categories that they declare. Raises `ConfigurationError`, `StoreError`.
        """
        from llama_mapper.entrypoints.containers.root import running_monolith
        from llama_mapper.entrypoints.settings import Settings

        async with running_monolith(Settings.load(**settings), more_detectors) as running:
            await running.wait_for_detectors(wait_for_detectors_s)
            yield cls(running, tenant_id)

    @classmethod
    @contextmanager
    def open_sync(cls, **options: Any) -> Iterator[SyncLlamaMapper]:
        """The same for code without an event loop, with the same options: the chain runs in a thread of its own."""
        from anyio.from_thread import start_blocking_portal

        opened = cls.open(**options)
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened) as mapper:
            yield SyncLlamaMapper(mapper, portal)

    async def assess(
        self,
        content: str | Sequence[Message | Mapping[str, str]],
        *,
        frameworks: Sequence[str] = (),
        content_type: ContentType | str = ContentType.TEXT,
        policy_bundle: str = "default",
        processing_mode: ProcessingMode | str = ProcessingMode.NORMAL,
        categories: Sequence[str] = (),
        metadata: Mapping[str, str | bool | int | float | None] | None = None,
        output_format: OutputFormat | str = OutputFormat.FULL_RECORD,
    ) -> Assessment:
        """Assess a text, or the messages of a conversation, and store the record.

        Arguments are those of `AssessmentRequest`; a message may be a mapping of `role` and `content`.

        Raises `ValidationError` (`INVALID_REQUEST`, `CONTENT_TOO_LARGE`, `UNPROCESSABLE_CONTENT`) for bad arguments,
        and what `AssessmentApi.assess` raises.
        """
        request = _request(
            **_content(content),
            frameworks=tuple(frameworks),
            content_type=content_type,
            policy_bundle=policy_bundle,
            processing_mode=processing_mode,
            categories=tuple(categories),
            metadata=dict(metadata) if metadata is not None else None,
            output_format=output_format,
        )
        return (await self.assess_request(request)).assessment

    @staticmethod
    def redact(content: str | Sequence[Message | Mapping[str, str]], assessment: Assessment) -> Redacted | None:
        """The content that was assessed, with what was found replaced; None unless the verdict is `redact`.

        Nothing of it is kept. Content and assessment must belong together: spans are places in that very content.
        """
        return redact(_request(**_content(content)), assessment.orchestration)

    async def assess_request(self, request: AssessmentRequest) -> AssessmentRecord:
        """Assess a ready-made request; the record comes with its one serialisation."""
        if request.tenant_id != self._tenant_id:
            request = request.model_copy(update={"tenant_id": self._tenant_id})
        with self._step("llama_mapper.assess"):
            return await self._running.chain.assess(request)

    async def get(self, assessment_id: str) -> Assessment:
        """A stored record; raise `NOT_FOUND` if the tenant has none with this id."""
        with self._step("llama_mapper.get"):
            body = await self._running.chain.get(self._tenant_id, assessment_id)
        return Assessment.model_validate_json(body)

    async def map_labels(self, labels: Sequence[LabelQuery], *, frameworks: Sequence[str] = ()) -> LabelMappingResponse:
        """Map vendors' labels without content; labels that the catalogue does not know join the review queue."""
        with self._step("llama_mapper.map_labels"):
            return await self._running.mapper.map_labels(
                LabelMappingRequest(labels=tuple(labels), frameworks=tuple(frameworks), tenant_id=self._tenant_id)
            )

    def _step(self, name: str) -> Step:
        return first_step(self._running.platform.tracing(), name)


class SyncLlamaMapper:
    """`LlamaMapper` for code without an event loop; safe to use from several threads."""

    def __init__(self, mapper: LlamaMapper, portal: BlockingPortal) -> None:
        """Use `LlamaMapper.open_sync` instead."""
        self._mapper = mapper
        self._portal = portal

    def assess(self, content: str | Sequence[Message | Mapping[str, str]], **options: Any) -> Assessment:
        """See `LlamaMapper.assess`."""
        return self._portal.call(lambda: self._mapper.assess(content, **options))

    redact = staticmethod(LlamaMapper.redact)

    def get(self, assessment_id: str) -> Assessment:
        """See `LlamaMapper.get`."""
        return self._portal.call(self._mapper.get, assessment_id)

    def map_labels(self, labels: Sequence[LabelQuery], *, frameworks: Sequence[str] = ()) -> LabelMappingResponse:
        """See `LlamaMapper.map_labels`."""
        return self._portal.call(lambda: self._mapper.map_labels(labels, frameworks=frameworks))


def assess(content: str, *, frameworks: Sequence[str] = (), **settings: Any) -> Assessment:
    """Assess one text and be done: opens the chain, assesses, closes it (seconds; for more texts use `open_sync`)."""
    with LlamaMapper.open_sync(**settings) as mapper:
        return mapper.assess(content, frameworks=frameworks)


def _content(content: str | Sequence[Message | Mapping[str, str]]) -> dict[str, Any]:
    if isinstance(content, str):
        return {"content": content}
    return {"messages": tuple(message if isinstance(message, Message) else dict(message) for message in content)}


def _request(**fields: Any) -> AssessmentRequest:
    """The request, with contract errors in the kernel's words."""
    try:
        return AssessmentRequest.model_validate(fields, strict=False)
    except PydanticError as error:
        raise refusal_of(error)[0] from None
