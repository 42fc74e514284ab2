"""A remote detector over HTTP, as plain as can be: it asks `POST /detect` of `detector_servers`."""

from __future__ import annotations

import httpx2

from llama_mapper.domain.orchestration.ports import (
    DetectorDescriptor,
    DetectorFailed,
    DetectorUnavailable,
    Inquiry,
    Inspection,
    RawFinding,
)


class PlainDetector:
    """Time limits are left to what is around it."""

    readiness: str | None = None

    def __init__(self, name: str, url: str, client: httpx2.AsyncClient) -> None:
        self.descriptor = DetectorDescriptor(name, "acme", "1", (), (), (), 0.0, remote=True)
        self._url = url
        self._client = client

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """See `Detector.inspect`."""
        content = (await self._call("POST", "/detect", {"text": inquiry.text})).json()
        return Inspection(tuple(RawFinding(one["label"], one["score"]) for one in content["found"]))

    async def probe(self) -> None:
        """See `ProbedDetector.probe`."""
        await self._call("GET", "/health", None)

    async def _call(self, method: str, path: str, body: object) -> httpx2.Response:
        try:
            response = await self._client.request(method, self._url + path, json=body)
        except httpx2.HTTPError as error:
            raise DetectorUnavailable(
                f"it cannot be reached ({type(error).__name__})", "DETECTOR_UNREACHABLE", retryable=True
            ) from error
        if response.status_code >= 400:
            after = response.headers.get("retry-after")
            raise DetectorFailed(
                f"it answered with status {response.status_code}",
                "DETECTOR_SERVER_ERROR",
                retryable=response.status_code >= 429,
                retry_after_s=None if after is None else float(after),
            )
        return response
