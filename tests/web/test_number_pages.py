"""One number's page: added, linked by QR or code, given to a team, stopped and deleted; never another tenant's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from uuid import UUID

from channels.base import SessionChanged
from domain.messages import SessionStatus
from tests.database import Number
from tests.web.people import become, browser
from tests.web.site import Site

CODE = "https://wa.me/settings/linked_devices#2@cmVm,bm9pc2U=,aWRlbnRpdHk=,YWR2,1"


async def test_that_an_admin_adds_a_number_and_sees_its_code_count_down(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        assert "By QR code or pairing code" in (await admin.get("/numbers/new")).text
        made = await admin.post("/numbers/new", data={"provider": "neonize", "name": "Vendas"})
        place = made.headers["location"]
        session = await site.inbound.session(UUID(place.split("/")[-1]))
        await site.inbound.receive(session, SessionChanged(SessionStatus.AWAITING_QR, datetime.now(UTC), qr=CODE))
        page = unescape((await admin.get(f"{place}/state")).text)
        assert 'class="qr"' in page
        assert re.search(r'data-until="\d{4}-', page)
        whole = unescape((await admin.get(place)).text)
        assert "Link with a code instead" in whole
        assert "Added" in whole
        bad = await admin.post(f"{place}/pair-code", data={"phone": "nobody"})
        assert bad.status_code == 422
        assert "nobody" in bad.text


async def test_that_a_gateways_settings_are_asked_for_and_its_secrets_never_shown(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        form = (await admin.get("/numbers/new?provider=waha")).text
        assert 'name="set/base_url"' in form
        assert 'name="set/hmac_key"' not in form  # made by us
        given = {"provider": "waha", "name": "", "set/base_url": "http://waha:3000", "set/api_key": "very secret"}
        refused = await admin.post("/numbers/new", data=given)
        assert refused.status_code == 422
        assert "http://waha:3000" in refused.text
        assert "very secret" not in refused.text
        made = await admin.post("/numbers/new", data={**given, "name": "Loja"})
        assert made.status_code == 303, made.text
        assert "very secret" not in (await admin.get(made.headers["location"])).text
        assert (await admin.post("/numbers/new", data={"provider": "pigeon", "name": "x"})).status_code == 422


async def test_that_name_team_and_pace_are_changed_and_a_number_is_deleted(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with site.db.transaction(shop.tenant_id) as tx:
        team = await tx.fetchval(
            "INSERT INTO team (tenant_id, name) VALUES ($1, 'Suporte') RETURNING id", shop.tenant_id
        )
    other = await site.number("other")
    async with site.db.transaction(other.tenant_id) as tx:
        theirs = await tx.fetchval(
            "INSERT INTO team (tenant_id, name) VALUES ($1, 'Segredo') RETURNING id", other.tenant_id
        )
    place = f"/numbers/{shop.session_id}"
    async with browser(site) as admin:
        entered = {"name": "Atendimento", "team": str(team), "pace/messages_per_minute": "3"}
        assert (await admin.post(f"{place}/settings", data=entered)).status_code == 303
        page = unescape((await admin.get(place)).text)
        assert "Segredo" not in page
        assert f'value="{team}" selected' in page
        assert "3 a minute" in page
        assert (await admin.post(f"{place}/settings", data={**entered, "team": str(theirs)})).status_code == 404
        wrong = await admin.post(f"{place}/settings", data={**entered, "pace/messages_per_minute": "many"})
        assert wrong.status_code == 422
        assert 'value="many"' in wrong.text
        assert (await admin.post(f"{place}/act", data={"wish": "explode"})).status_code == 422
        assert (await admin.post(f"{place}/act", data={"wish": "delete"})).headers["location"] == "/numbers"
        assert (await admin.get(place)).status_code == 404


async def test_that_operators_only_look_and_another_tenants_number_is_unknown(site: Site, shop: Number) -> None:
    place = f"/numbers/{shop.session_id}"
    async with browser(site) as operator:
        assert (await operator.get(place)).status_code == 200
        for path in (f"{place}/act", f"{place}/pair-code", f"{place}/settings", "/numbers/new"):
            assert (await operator.post(path, data={"wish": "stop", "name": "x"})).status_code == 403
    other = await site.number("other")
    await become(site, other, "admin")
    async with browser(site, "other") as stranger:
        for path in (place, f"{place}/state"):
            assert (await stranger.get(path)).status_code == 404
        for path in (f"{place}/act", f"{place}/pair-code", f"{place}/settings"):
            assert (await stranger.post(path, data={"wish": "stop", "name": "x"})).status_code == 404
