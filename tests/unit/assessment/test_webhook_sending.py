"""Where webhooks may go, and how they are signed."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from llama_mapper.adapters.assessment.http_webhooks import HttpWebhooks
from llama_mapper.adapters.assessment.webhook_addresses import WebhookHosts, is_public
from llama_mapper.adapters.assessment.webhook_signatures import StandardWebhookSigner
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, ValidationError
from tests.support.receivers import receiving

INNER = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2001:0:7f00:1::1",
    "2002:7f00:1::1",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", INNER)
def test_an_address_that_is_not_of_the_public_internet_is_told(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address_is_told(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_mapping_an_address_into_ipv6_changes_no_judgement(address: object) -> None:
    assert is_public(ip_address(f"::ffff:{address}")) == is_public(ip_address(str(address)))


def refused(hosts: list[str], url: str) -> bool:
    try:
        HttpWebhooks(WebhookHosts(hosts)).check(url)
    except ValidationError as error:
        assert error.error_code is ErrorCode.INVALID_REQUEST
        assert url not in error.message
        return True
    return False


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]:8443/x",
        "https://169.254.169.254/latest/meta-data",
        "ftp://example.com/",
        "https:///path",
        "https://example.com:99999/",
        "https://user@example.com/",
    ],
)
def test_what_can_be_told_without_a_look_up_is_refused_when_it_is_submitted(url: str) -> None:
    assert refused([], url)


def test_the_operators_hosts_may_be_private_and_without_tls() -> None:
    assert not refused([], "https://hooks.example.com/x?y=1")
    assert not refused(["127.0.0.1"], "http://127.0.0.1:8000/x")
    assert not refused(["10.1.0.0/16"], "http://10.1.2.3/")
    assert refused(["10.1.0.0/16"], "http://10.2.0.1/")
    assert not refused(["hooks.internal"], "http://HOOKS.internal/")
    assert refused(["hooks.internal"], "http://other.internal/")


def test_an_entry_that_is_no_network_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"10\.1\.0\.0/99"):
        WebhookHosts(["10.1.0.0/99"])


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::1"], ["not an address"], []])
async def test_a_name_that_leads_inwards_is_refused_when_it_is_called(answers: list[str]) -> None:
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return answers

    sender = HttpWebhooks(WebhookHosts([]), resolve=resolve)
    attempt = await sender.send("https://rebinding.example.com/x", {}, b"{}")
    assert attempt.fault == "ADDRESS_REFUSED"
    assert attempt.final
    assert asked == [("rebinding.example.com", 443)]


@pytest.mark.parametrize(
    "spelling", ["https://localhost/", "https://127.1/", "https://0x7f000001/", "https://2130706433/"]
)
async def test_other_spellings_of_this_machine_are_refused_by_what_they_resolve_to(spelling: str) -> None:
    attempt = await HttpWebhooks(WebhookHosts([])).send(spelling, {}, b"{}")
    assert attempt.fault in {"ADDRESS_REFUSED", "UNREACHABLE"}
    assert attempt.status is None


async def test_a_host_that_is_no_longer_allowed_is_not_called() -> None:
    attempt = await HttpWebhooks(WebhookHosts([])).send("http://127.0.0.1:9/x", {}, b"{}")
    assert attempt.fault == "ADDRESS_REFUSED"


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    attempt = await HttpWebhooks(WebhookHosts([]), resolve=resolve).send("https://nowhere.example/", {}, b"{}")
    assert (attempt.fault, attempt.final) == ("UNREACHABLE", False)


async def test_the_connection_goes_to_the_address_that_was_checked_and_the_request_to_the_name() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with receiving([204]) as receiver:
        port = receiver.url.rpartition(":")[2]
        sender = HttpWebhooks(WebhookHosts(["hooks.test", "127.0.0.1"]), resolve=resolve)
        attempt = await sender.send(f"http://hooks.test:{port}/x?y=1", {"webhook-id": "evt_1"}, b"{}")
        await sender.close()
    assert (attempt.status, attempt.succeeded) == (204, True)
    [(path, headers, body)] = receiver.got
    assert (path, headers["host"], headers["webhook-id"], body) == ("/x?y=1", f"hooks.test:{port}", "evt_1", b"{}")


async def test_tls_asks_for_the_name_and_does_not_trust_whoever_answers(tmp_path: Path) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path, "hooks.test"))
    context.sni_callback = lambda _, name, __: asked.append(name)
    with receiving([204], tls=context) as receiver:
        port = receiver.url.rpartition(":")[2]
        sender = HttpWebhooks(WebhookHosts(["127.0.0.1"]), resolve=resolve)
        attempt = await sender.send(f"https://hooks.test:{port}/", {}, b"{}")
        await sender.close()
    assert (attempt.status, attempt.fault) == (None, "UNREACHABLE")
    assert asked == ["hooks.test"]
    assert receiver.got == []


def self_signed(folder: Path, name: str) -> Path:
    """A certificate for `name` that nobody vouches for, and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return pem


BODY = '{"type":"job.succeeded","note":"é"}'.encode()


def test_a_receiver_verifies_what_was_signed_and_nothing_else() -> None:
    signer = StandardWebhookSigner(b"m" * 32)
    secret = signer.secret("acme", "https://a.example/")
    headers = signer.headers("acme", "https://a.example/", "evt_1", datetime.now(UTC), BODY)
    assert Webhook(secret).verify(BODY, headers)["type"] == "job.succeeded"
    for changed in (
        headers | {"webhook-id": "evt_2"},
        headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(BODY, changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)


def test_a_secret_is_the_same_every_time_and_another_for_every_tenant_url_and_installation() -> None:
    one, other = StandardWebhookSigner(b"m" * 32), StandardWebhookSigner(b"n" * 32)
    secrets = [
        one.secret("acme", "https://a.example/"),
        one.secret("acme", "https://b.example/"),
        one.secret("globex", "https://a.example/"),
        other.secret("acme", "https://a.example/"),
    ]
    assert len(set(secrets)) == 4
    assert StandardWebhookSigner(b"m" * 32).secret("acme", "https://a.example/") == secrets[0]
