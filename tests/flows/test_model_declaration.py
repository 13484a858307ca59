"""A tenant's own model, key, address, prices and budgets: read with care, sealed at rest, sent nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.language_model import ModelPrice, ModelSettings
from domain.budgets import Budgets, Limit
from flows.declared_files import TenantFilesError
from flows.model_declaration import (
    MODEL_KEY,
    BudgetsDeclaration,
    ModelDeclaration,
    read_limit,
    read_options,
    read_prices,
)
from flows.tenant_files import load_tenant
from flows.tenant_settings import SettingsRefusedError, TenantSettingsDesk
from store.secrets import Sealer
from store.wakeup import Wakeup
from tests.database import SECRET
from tests.flows.backroom import open_backroom
from tests.flows.shop import FOLDER, Shop
from tests.openai_server import ScriptedOpenAI

INSTALLATION = ModelSettings("ours", "https://ours.example/v1", "our-key", prices={"ours": ModelPrice(1, 2)})


def test_that_the_installations_key_goes_to_no_address_but_its_own() -> None:
    def key(given: str | None, **declared: Any) -> str:
        settings = ModelDeclaration(**declared).settings(INSTALLATION, given)
        assert settings is not None
        return settings.api_key

    assert key(None) == key(None, name="other") == key(None, base_url="https://ours.example/v1/") == "our-key"
    assert key(None, base_url="https://theirs.example/v1") == ""
    assert key("theirs", base_url="https://theirs.example/v1") == key("theirs") == "theirs"


def test_that_what_a_tenant_leaves_out_is_the_installations() -> None:
    mine = ModelDeclaration(name="mine", fallback="spare", prices={"mine": {"input": 3, "output": 4}})
    settings = mine.settings(INSTALLATION, None)
    assert settings is not None
    assert (settings.model, settings.fallback_model, settings.base_url) == ("mine", "spare", "https://ours.example/v1")
    assert set(settings.prices) == {"ours", "mine"}
    assert ModelDeclaration().settings(None, "key") is None
    assert ModelDeclaration().settings(ModelSettings(""), None) is None
    assert ModelDeclaration(name="mine").settings(None, "key") is not None


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("20.00", Limit(20_000_000)),
        ("0,5", Limit(500_000)),
        ("20000 tokens", Limit(None, 20_000)),
        ("1_000_000 TOKENS; 3", Limit(3_000_000, 1_000_000)),
        ("0.10, 500 tokens", Limit(100_000, 500)),
        ("0", Limit(0)),
    ],
)
def test_that_limits_are_read_as_people_write_them(text: str, limit: Limit) -> None:
    assert BudgetsDeclaration(day=read_limit(text)).budgets() == Budgets(day=limit)


@pytest.mark.parametrize("text", ["", "much", "20 30", "-5", "5 tokens; 6 tokens", "1.2.3", "tokens", "9" * 30])
def test_that_other_limits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|cost|tokens"):
        read_limit(text)


def test_that_prices_are_those_of_price_lists() -> None:
    prices = read_prices("gpt-small=0.40/1.60/0.1, org/model:tag=2/8")
    declared = ModelDeclaration(name="gpt-small", prices=prices).settings(None, None)
    assert declared is not None
    small = declared.prices["gpt-small"]
    assert small.cost_micros(1_000_000, 1_000_000) == 2_000_000
    assert small.cost_micros(1_000, 0, 600) == 160 + 60
    assert small.cost_micros(1, 0) == 1, "rounded up"
    assert declared.prices["org/model:tag"].cost_micros(100, 0, 100) == 200
    for text in ("", "model", "m=1", "m=1/x", "=1/2", "m=1/2/3/4", "m=-1/2", "m=1/nan", "m=1/inf"):
        with pytest.raises(ValueError, match="must"):
            read_prices(text)
    with pytest.raises(ValueError, match="JSON object"):
        read_options("[1]")


def test_that_a_budget_of_money_needs_prices(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "intents").mkdir(parents=True)
    for file in ("functions.py", "intents/slow_lookup.yaml"):
        (folder / file).write_text((FOLDER / file).read_text())
    settings = yaml.safe_load((FOLDER / "tenant.yaml").read_text())
    settings |= {"model": {"name": "m", "fallback": "n"}, "budgets": {"month": {"cost": 5}}}
    (folder / "tenant.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(TenantFilesError, match=r"model\.prices\.m.* is missing") as caught:
        load_tenant(folder)
    assert "model.prices.n" in str(caught.value)
    settings["model"]["prices"] = read_prices("m=1/1 n=1/1")
    (folder / "tenant.yaml").write_text(yaml.safe_dump(settings))
    assert load_tenant(folder).settings.budgets.budgets() == Budgets(month=Limit(5_000_000))


async def test_that_a_tenant_s_model_is_set_by_hand_and_its_key_sealed(shop: Shop, trace: object) -> None:
    wakeup = Wakeup(shop.db)
    desk = TenantSettingsDesk(shop.db, wakeup, Sealer(SECRET))
    async with ScriptedOpenAI([{"when": ".", "reply": "Sem problema."}]) as server:
        with pytest.raises(SettingsRefusedError, match="name a price for mine"):
            await desk.change(shop.tenant_id, {"model.name": "mine", "budgets.day": "1"}, actor="test")
        with pytest.raises(SettingsRefusedError, match="without a key in it"):
            await desk.change(shop.tenant_id, {"model.base_url": "https://me:key@x.example/v1"}, actor="test")
        with pytest.raises(SettingsRefusedError, match="deadline_seconds"):
            await desk.change(
                shop.tenant_id, {"model.timeout_seconds": "90", "model.deadline_seconds": "60"}, actor="test"
            )
        wishes = {
            "model.name": "mine",
            "model.base_url": server.base_url,
            MODEL_KEY: "sk-very-secret",
            "model.prices": "mine=1/2",
            "model.options": '{"max_completion_tokens": 77, "max_tokens": null, "temperature": null}',
            "budgets.day": "1, 20000 tokens",
        }
        await desk.change(shop.tenant_id, wishes, actor="test")
        async with open_backroom(shop, model=INSTALLATION) as backroom:
            await shop.write("maria", "blarg zzyx")
            await backroom.rest()
        assert await shop.got("maria") == ["Sem problema."]
        (asked,) = server.requests
        assert (asked["model"], asked["max_completion_tokens"]) == ("mine", 77)
        assert not {"max_tokens", "temperature"} & set(asked)
        assert [reading["model"] for reading in server.readings] == ["mine"]
        assert server.keys == ["sk-very-secret"] * 2
    (day,) = await shop.fetch("SELECT cost_micros, tokens FROM model_spending WHERE span = 'day'")
    assert (day["cost_micros"], day["tokens"]) == (360, 300)
    everything = await shop.fetch(
        "SELECT (SELECT string_agg(s::text, ' ') FROM tenant_secret s)"
        " || (SELECT string_agg(t::text, ' ') FROM tenant t)"
        " || (SELECT string_agg(e::text, ' ') FROM event e) AS text"
    )
    assert "sk-very-secret" not in everything[0]["text"]
    assert "sk-very-secret" not in str(await desk.show(shop.tenant_id))
    await wakeup.close()
