"""TLS between the parts: nobody is trusted unchecked, nothing falls back to the clear, renewal needs no restart."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from fastapi import FastAPI
from pydantic import ValidationError

from deploy import acls
from deploy.infra.kafka import SUPERUSER as BROKER
from deploy.infra.kafka import Kafka
from deploy.infra.ports import free_port
from deploy.infra.postgres import SUPERUSER, Postgres
from deploy.infra.tls import ServerTls
from deploy.registry import SERVICES
from shared import serve
from shared.bus import Message
from shared.bus.kafka import KafkaBus
from shared.db import Database
from shared.errors import Unavailable
from shared.events import TOPICS
from shared.relay import Relay
from shared.settings import Settings
from shared.web.app import dress
from tests.certificates import Authority, Identity


def _settings(authority: Authority, who: Identity | None = None, **more: object) -> Settings:
    mine = {"tls_certificate": who.certificate, "tls_key": who.key} if who else {}
    return Settings(tls_ca=authority.ca, **mine, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def _served(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """An app of ours, served as a service is; its address."""
    monkeypatch.setattr(serve, "settle_memory", lambda: None)  # this process has other things to do
    app = FastAPI()
    app.add_api_route("/", lambda: "here")
    dress(app, "intake", settings)
    port = free_port()
    server = serve.server(app, host="127.0.0.1", port=port, tls=settings.server_tls())
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"https://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        await running


async def _get(address: str, settings: Settings) -> httpx.Response:
    async with httpx.AsyncClient(verify=settings.client_tls()) as client:
        return await client.get(address)


async def _shown(address: str, settings: Settings) -> int:
    """The serial number of the certificate that a server shows."""
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=settings.client_tls())
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await reader.read()
    return x509.load_der_x509_certificate(found).serial_number


async def test_a_service_over_https_lets_in_who_shows_a_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    neighbour, stranger = ours.issue("gateway"), theirs.issue("gateway")
    async with _served(_settings(ours, ours.issue("intake"), http_tls="mutual"), monkeypatch) as address:
        answer = await _get(address, _settings(ours, neighbour))
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
        refused = (httpx.ReadError, httpx.RemoteProtocolError, httpx.ConnectError, httpx.WriteError)
        for who in (None, stranger):
            with pytest.raises(refused):
                await _get(address, _settings(ours, who))
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await _get(address, _settings(theirs, neighbour))
        with pytest.raises((*refused, httpx.ReadTimeout)):  # nothing is answered in the clear
            await httpx.AsyncClient().get(address.replace("https", "http"))
        old = _settings(ours, neighbour).client_tls()
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((*refused, ssl.SSLError)):
            async with httpx.AsyncClient(verify=old) as client:
                await client.get(address)
    async with _served(
        _settings(ours, ours.issue("intake", "elsewhere.example"), http_tls="server"), monkeypatch
    ) as at:
        with pytest.raises(httpx.ConnectError, match="IP address mismatch"):
            await _get(at, _settings(ours))


async def test_a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Authority(tmp_path)
    first = ours.issue("intake", file="intake")
    async with _served(_settings(ours, first, http_tls="server"), monkeypatch) as address:
        assert await _shown(address, _settings(ours)) == first.serial
        second = ours.issue("intake", file="intake")  # the same files, written anew
        assert await _shown(address, _settings(ours)) == second.serial != first.serial
        whole = second.key.read_text()
        second.key.write_text(whole[:60])  # caught in the middle of being written
        assert await _shown(address, _settings(ours)) == second.serial
        ours.issue("else", file="other")
        second.key.write_text((tmp_path / "other.key").read_text())  # a key that does not fit
        assert await _shown(address, _settings(ours)) == second.serial
        third = ours.issue("intake", file="intake")
        assert await _shown(address, _settings(ours)) == third.serial


def test_settings_that_would_leave_a_side_unchecked_are_refused(tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    mine = ours.issue("intake")
    for wrong in (
        {"http_tls": "server"},
        {"http_tls": "mutual", "tls_certificate": mine.certificate},
        {"tls_key": mine.key},
        {"kafka_tls": "require"},
        {"database_tls": "prefer"},
    ):
        with pytest.raises(ValidationError):
            Settings(**wrong)  # type: ignore[arg-type]
    for level, names in (("verify-full", True), ("verify-ca", False)):
        context = _settings(ours, mine, database_tls=level).postgres_tls()
        assert context is not None
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, names)
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert Settings().postgres_tls() is None
    assert Settings(kafka_security={"client_id": "x"}).kafka_options() == {"client_id": "x"}
    sasl = _settings(ours, kafka_tls="verify-full", kafka_security={"sasl_mechanism": "SCRAM-SHA-512"})
    assert sasl.kafka_options()["security_protocol"] == "SASL_SSL"
    assert _settings(ours, kafka_tls="verify-ca").kafka_options()["ssl_context"].check_hostname is False


@pytest.mark.postgres
async def test_postgresql_by_certificate_and_never_in_the_clear(tmp_path: Path, postgres: Postgres) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    shows, client = ours.issue("db"), ours.issue(SUPERUSER)
    secured = ServerTls(ours.ca, shows.certificate, shows.key, shows.both)
    server = Postgres(tmp_path / "postgres", flushes=False, tls=secured)
    await asyncio.to_thread(server.start)
    try:
        url, reporting = server.url("postgres"), SERVICES["reporting"]

        def opened(settings: Settings, at: str = url) -> Database:
            return Database("reporting", at, reporting.tables, tls=settings.postgres_tls())

        good = _settings(ours, client, database_tls="verify-full")
        sealed = reporting.settings(**good.model_dump(), database_reporting=url)
        await asyncio.to_thread(reporting.migrate, sealed)
        db = reporting.database(sealed)
        async with db.reading() as session, session.begin():
            connection = await session.connection()
            (row,) = await connection.exec_driver_sql(
                "SELECT ssl, version, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            )
        assert (row.ssl, row.version, row.client_dn) == (True, "TLSv1.3", f"/CN={SUPERUSER}")
        relay = Relay(db, None, "t", lambda: datetime.now(UTC))  # type: ignore[arg-type]
        async with relay._leadership():  # its connection is its own
            pass
        await db.close()
        unwanted = [
            _settings(ours, database_tls="verify-full"),  # shows nothing
            _settings(ours, theirs.issue(SUPERUSER), database_tls="verify-full"),
            _settings(ours, ours.issue("somebody"), database_tls="verify-full"),  # ours, but another
            _settings(theirs, client, database_tls="verify-full"),  # we do not trust the server
            Settings(),  # the server wants no word in the clear
        ]
        for settings in unwanted:
            with pytest.raises(Exception, match=r"database is away|SSL|pg_hba|certificate"):
                await (db := opened(settings)).ping()
            await db.close()
        db = opened(good, postgres.url("postgres"))
        with pytest.raises(Unavailable):  # a server without TLS is not spoken to
            await db.ping()
        await db.close()
    finally:
        await asyncio.to_thread(server.destroy)


@pytest.mark.kafka
async def test_at_kafka_each_service_does_what_it_may_and_nothing_else(tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    broker = ours.issue(BROKER)
    secured = ServerTls(ours.ca, broker.certificate, broker.key, broker.both)
    kafka = Kafka(tmp_path / "kafka", tls=secured)
    await asyncio.to_thread(kafka.start)
    buses: list[KafkaBus] = []
    try:
        await kafka.create_topics(dict.fromkeys(TOPICS.values(), 1))

        def settings(name: str) -> Settings:
            return _settings(ours, ours.issue(name), kafka=kafka.bootstrap, kafka_tls="verify-full")

        def bus(name: str) -> KafkaBus:
            buses.append(KafkaBus(kafka.bootstrap, client_id=name, **settings(name).kafka_options()))
            return buses[-1]

        def word(topic: str) -> Message:
            return Message(TOPICS[topic], "c-1", b"{}", "")

        assert await acls.apply(settings(BROKER)) == len(list(acls.rules()))
        routing, sla = bus("routing"), bus("sla")
        heard: list[str] = []

        async def hear(batch: list[Message]) -> None:
            heard.extend(message.topic for message in batch)

        sla.subscribe("sla", [TOPICS[s] for s in acls.HEARS["sla"]], hear)  # type: ignore[arg-type]
        routing.subscribe("sla", [TOPICS["intake"]], hear)  # type: ignore[arg-type]
        await sla.start()
        assert await routing.publish([word("routing")]) == [True]
        assert await routing.publish([word("intake")]) == [False], "a topic that is another's"
        assert await sla.publish([word("routing")]) == [False]
        for _ in range(200):
            if heard:
                break
            await asyncio.sleep(0.05)
        assert heard == [TOPICS["routing"]]
        await routing.start()  # in the consumer group of another service
        for _ in range(200):
            if "sla" in routing._reasons:
                break
            await asyncio.sleep(0.05)
        assert routing._reasons["sla"] == "GroupAuthorizationFailedError"
        nobody = KafkaBus(
            kafka.bootstrap, client_id="nobody", **_settings(ours, kafka_tls="verify-full").kafka_options()
        )
        buses.append(nobody)
        assert await nobody.publish([word("routing")]) == [False], "no certificate, no word"
    finally:
        await asyncio.gather(*(one.stop() for one in buses))
        await asyncio.to_thread(kafka.destroy)
