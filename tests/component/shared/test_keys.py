"""API keys: only their hashes are kept, and a key does what it was made for, as long as it was made for."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import NotFound, Unauthenticated
from shared.security import keys
from shared.security.keys import KeyRing, NewKey
from shared.security.principal import Role

NEW = NewKey("web bank", roles=["agent"], scopes=["complaints:write", "complaints:read"], channels=["mobile"])


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(keys.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def ring(desk: Any, monotonic: list[float]) -> KeyRing:
    return KeyRing(desk.db, desk.clock)


async def _create(desk: Any, new: NewKey = NEW) -> str:
    async with desk.db.transaction() as tx:
        return await keys.create(tx, desk.tables, new, actor="admin", now=desk.now)


async def _refused(ring: KeyRing, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await ring.check(token)


def _id(token: str) -> str:
    return token.split("_")[1]


async def test_a_key_has_the_rights_it_was_made_with(desk: Any, ring: KeyRing) -> None:
    token = await _create(desk)
    found = await ring.check(token)
    assert found.id == "key:web bank"
    assert found.key_id == _id(token)
    assert found.roles == {Role.AGENT}
    assert found.scopes == {"complaints:write", "complaints:read"}
    assert found.channels == {"mobile"}
    assert found.has("complaints:read")
    assert not found.has("complaints:import", "admin")


async def test_only_the_hash_is_kept_and_nothing_tells_the_key(desk: Any) -> None:
    token = await _create(desk)
    async with desk.db.reading() as session:
        (row,) = (await session.execute(desk.tables.api_key.select())).mappings().all()
        (shown,) = await keys.listing(session, desk.tables)
    secret = token.split("_", 2)[2]  # which may have more of them
    assert row["hash"] == hashlib.sha256(token.encode()).hexdigest()
    assert secret not in str(dict(row))
    assert "hash" not in shown
    assert secret not in str(await desk.column("SELECT detail FROM audit"))
    assert await desk.column("SELECT action FROM audit") == ["key.created"]


async def test_an_unknown_role_makes_no_key(desk: Any) -> None:
    with pytest.raises(ValueError, match="emperor"):
        await _create(desk, NewKey("x", roles=["emperor"]))
    assert await desk.scalar("SELECT count(*) FROM api_key") == 0


async def test_a_wrong_secret_and_an_unknown_key_are_refused_alike(desk: Any, ring: KeyRing) -> None:
    token = await _create(desk)
    other = await _create(desk)
    for wrong in (
        token[:-1],
        token + "x",
        token.swapcase(),
        f"rdk_{_id(token)}_{other.rsplit('_', 1)[-1]}",
        f"rdk_{'0' * 10}_{'x' * 43}",
        "rdk_",
        "rdk_é_ü",
        "",
    ):
        await _refused(ring, wrong)
        assert ring.remembered(wrong) is None


async def test_an_expired_key_is_refused(desk: Any, ring: KeyRing, monotonic: list[float]) -> None:
    token = await _create(desk, NewKey("x", roles=["agent"], expires_at=desk.now + timedelta(hours=1)))
    assert await ring.check(token)
    desk.now += timedelta(hours=1)
    await _refused(ring, token)
    assert ring.remembered(token) is None


async def test_a_revoked_key_is_refused_within_seconds_everywhere_and_at_once_where_it_is_forgotten(
    desk: Any, ring: KeyRing, monotonic: list[float]
) -> None:
    token = await _create(desk)
    elsewhere = KeyRing(desk.db, desk.clock)
    await ring.check(token)
    await elsewhere.check(token)
    async with desk.db.transaction() as tx:
        await keys.revoke(tx, desk.tables, _id(token), actor="admin", now=desk.now)
    ring.forget()
    assert ring.remembered(token) is None
    assert elsewhere.remembered(token) is not None
    monotonic[0] += keys.CACHE_SECONDS + 0.1
    assert elsewhere.remembered(token) is None
    await _refused(ring, token)
    await _refused(elsewhere, token)
    with pytest.raises(NotFound):
        async with desk.db.transaction() as tx:
            await keys.revoke(tx, desk.tables, _id(token), actor="admin", now=desk.now)


async def test_a_rotated_key_overlaps_with_its_successor_and_then_ends(desk: Any, ring: KeyRing) -> None:
    old = await _create(desk)
    async with desk.db.transaction() as tx:
        new = await keys.rotate(tx, desk.tables, _id(old), overlap=timedelta(days=1), actor="admin", now=desk.now)
    before, after = await ring.check(old), await ring.check(new)
    assert (after.id, after.roles, after.scopes, after.channels) == (
        before.id, before.roles, before.scopes, before.channels,
    )  # fmt: skip
    assert after.key_id != before.key_id
    desk.now += timedelta(days=1)
    await _refused(ring, old)
    assert await ring.check(new)
    assert await desk.column("SELECT action FROM audit ORDER BY seq") == ["key.created", "key.created", "key.rotated"]


async def test_rotation_never_prolongs_a_key(desk: Any, ring: KeyRing) -> None:
    token = await _create(desk, NewKey("x", roles=["agent"], expires_at=desk.now + timedelta(hours=1)))
    async with desk.db.transaction() as tx:
        await keys.rotate(tx, desk.tables, _id(token), overlap=timedelta(days=30), actor="admin", now=desk.now)
    desk.now += timedelta(hours=2)
    await _refused(ring, token)


async def test_the_last_use_is_noted_now_and_then_and_not_lost_to_a_failure(desk: Any, ring: KeyRing) -> None:
    token = await _create(desk)
    used = "SELECT count(*) FROM api_key WHERE last_used_at IS NOT NULL"
    await ring.check(token)
    assert await desk.scalar(used) == 0, "not on the hot path"

    await desk.execute("ALTER TABLE api_key RENAME TO away")
    with pytest.raises(Exception, match="api_key"):
        await ring.note_use()
    await desk.execute("ALTER TABLE away RENAME TO api_key")
    await ring.note_use()
    assert await desk.scalar(used) == 1
    async with desk.db.reading() as session:
        assert (await keys.listing(session, desk.tables))[0]["last_used_at"] == desk.now


async def test_a_key_just_checked_is_not_asked_for_again(desk: Any, ring: KeyRing, monotonic: list[float]) -> None:
    token = await _create(desk)
    found = await ring.check(token)
    assert ring.remembered(token) is found
    monotonic[0] += keys.CACHE_SECONDS - 0.1
    assert ring.remembered(token) is found
    monotonic[0] += 0.2
    assert ring.remembered(token) is None
