"""The intents' pages: written, tried out, checked and imported by an admin; never overwritten unread."""

from __future__ import annotations

from html import unescape

from tests.database import Number
from tests.web.people import become, browser
from tests.web.site import Site

HOURS = "\n".join(
    ["que horas abre?", "qual o horário", "abre sábado?", "fecha que horas", "tá aberto?", "horário de atendimento"]
)
PLACE = "\n".join(["onde fica?", "qual o endereço", "como chego aí", "em que rua é", "me manda a localização"])


def entered(name: str, examples: str, **more: str) -> dict[str, str]:
    return {
        "name": name,
        "description": name.title(),
        "examples/pt": examples,
        "service": "answer",
        "answer/pt": "Das 9 às 18.",
        **more,
    }


async def test_that_an_admin_writes_tries_checks_and_removes_intents(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        assert "No intents yet" in (await admin.get("/intents")).text
        for one in (entered("hours", HOURS), entered("place", PLACE, threshold="0,6", reply_mode="auto")):
            made = await admin.post("/intents/new", data=one)
            assert made.status_code == 303, made.text
        page = unescape((await admin.get(made.headers["location"])).text)
        assert "Saved: place." in page
        assert "threshold 0.6" in page
        tried = unescape((await admin.post("/intents/try", data={"text": "QUE HORAS VCS ABREM HJ"})).text)
        assert tried.index("/intents/hours") < tried.index("/intents/place")
        assert "It must be 80 % sure." in tried
        assert 'role="alert"' in (await admin.post("/intents/try", data={"text": " "})).text
        checked = unescape((await admin.get("/intents/check")).text)
        assert "11 examples" in checked
        part = (await admin.get("/intents/check", headers={"HX-Request": "true"})).text
        assert "<html" in checked  # opened by its address: a page of its own
        assert "<html" not in part
        form = unescape((await admin.get("/intents/place")).text)
        assert "onde fica?" in form
        gone = await admin.post("/intents/place/delete", data={"version": "1"})
        assert gone.status_code == 303
        assert (await admin.get("/intents/place")).status_code == 404


async def test_that_mistakes_are_said_in_the_persons_language_and_nothing_entered_is_lost(
    site: Site, shop: Number
) -> None:
    await become(site, shop, "admin")
    async with browser(site, language="pt") as admin:
        await admin.post("/intents/new", data=entered("hours", HOURS))
        for wrong, said in (
            (entered("Order Status", PLACE), "Use letras minúsculas"),
            (entered("place", ""), "Adicione pelo menos um exemplo"),
            (entered("place", PLACE + "\nabre sábado?"), "já é um exemplo de hours"),
            (entered("place", PLACE, **{"answer/pt": "", "answer/en": "9 to 18"}), "Falta o texto em pt"),
            (entered("place", PLACE, threshold="muita"), "number"),
            (entered("place", PLACE, threshold="2"), "Digite um número de 0 a 1"),
            (entered("place", PLACE, service="function", function="gone"), "Não existe a função gone"),
            (entered("hours", PLACE), "Já existe a intenção hours"),
        ):
            refused = await admin.post("/intents/new", data=wrong)
            page = unescape(refused.text)
            assert refused.status_code in {409, 422}
            assert said in page
            assert wrong["examples/pt"] in page
        assert "place" not in {one.split('"')[0] for one in (await admin.get("/intents")).text.split("/intents/")}


async def test_that_two_who_edit_one_intent_do_not_overwrite_each_other(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        await admin.post("/intents/new", data=entered("hours", HOURS))
        mine, theirs = (entered("hours", f"{HOURS}\n{word}", version="1") for word in ("mine", "theirs"))
        assert (await admin.post("/intents/hours", data=theirs)).status_code == 303
        refused = await admin.post("/intents/hours", data=mine)
        assert refused.status_code == 409
        assert "version 2 now" in unescape(refused.text)
        assert "mine" in refused.text
        assert 'name="version" value="2"' in refused.text
        assert "theirs" in (await admin.get("/intents/hours")).text
        assert (await admin.post("/intents/hours/delete", data={"version": "1"})).status_code == 409
        assert (await admin.post("/intents/hours", data={**mine, "version": "2"})).status_code == 303
        assert "mine" in (await admin.get("/intents/hours")).text


async def test_that_files_and_pasted_text_are_imported_whole_or_not_at_all(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    csv = "text;intent\nque horas abre?;hours\nabre cedo?;hours\nonde fica?;place\n"
    rasa = "version: '3.1'\nnlu:\n- intent: bye\n  examples: |\n    - tchau\n    - até mais\n"
    async with browser(site) as admin:
        for wrong, said in (
            ({"pasted": ""}, "This is needed."),
            ({"pasted": "question;topic\na;b"}, "no column for the"),
            ({"pasted": '{"intent": "x", "text": "ok"}\nnot json'}, "Line 2:"),
        ):
            refused = await admin.post("/intents/import", data=wrong)
            assert refused.status_code == 422
            assert said in unescape(refused.text)
        named = await admin.post("/intents/import", files={"file": ("intents.pdf", b"%PDF")})
        assert "This kind of file is not known" in named.text
        uploaded = await admin.post("/intents/import", files={"file": ("intents.csv", csv.encode())})
        assert uploaded.status_code == 200, uploaded.text
        assert "hours, place" in uploaded.text
        pasted = await admin.post("/intents/import", data={"pasted": rasa})
        assert "Too few examples" in pasted.text
        assert "/intents/bye" in (await admin.get("/intents")).text


async def test_that_other_roles_only_look_and_other_tenants_see_nothing(site: Site, shop: Number) -> None:
    await become(site, shop, "admin")
    async with browser(site) as admin:
        await admin.post("/intents/new", data=entered("hours", HOURS))
    await site.number("other")
    async with browser(site, "other") as stranger:
        assert "hours" not in (await stranger.get("/intents")).text.split('id="main"')[1].split("No intents yet")[0]
        for path in ("/intents/hours", "/intents/hours/delete"):
            assert (await stranger.post(path, data=entered("hours", PLACE, version="1"))).status_code == 404
        assert (await stranger.get("/intents/hours")).status_code == 404
    await become(site, shop, "operator")
    async with browser(site) as operator:
        assert (await operator.get("/intents/hours")).status_code == 200
        assert "/intents/new" not in (await operator.get("/intents")).text
        for path in ("/intents/hours", "/intents/hours/delete", "/intents/new", "/intents/import"):
            assert (await operator.post(path, data=entered("hours", PLACE, version="1"))).status_code == 403
    await become(site, shop, "prompt_engineer")
    async with browser(site) as engineer:
        assert (await engineer.post("/intents/hours", data=entered("", PLACE, version="1"))).status_code == 303
