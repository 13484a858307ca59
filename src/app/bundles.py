"""What ``atende bundle`` does, with the database open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.language_model import ModelClients
from agent.prompt_versions import check_reused, check_versions
from agent.prompts import prompts_folder
from app.encoders import encoder_of
from app.tenant_work import ACTOR, TenantWork
from domain.errors import InvalidInputError
from evaluation.bundles import load_bundle
from evaluation.comparison import compare
from evaluation.gate_file import Gates, RateGates, RegressionGate, load_gates
from evaluation.gates import judge
from evaluation.results import BESIDE, Run
from flows.bundle_content import BundleContent
from flows.bundles import BundleDesk, Evidence
from flows.functions_http import HttpFunctions
from flows.functions_mcp import McpFunctions
from flows.profiles import Installation, Profiles
from store.secrets import Sealer
from tools.http_call import HttpClients
from tools.mcp_connection import McpConnections

_DAY = "%Y-%m-%d %H:%M"


@asynccontextmanager
async def _desk(found: TenantWork) -> AsyncIterator[BundleDesk]:
    """The desk over the tenant's functions as a worker would make them; nothing is called."""
    settings, encoder = found.settings, encoder_of(found.settings)
    requests, servers = HttpClients(), McpConnections(())
    installation = Installation(
        settings.code_folders,
        encoder,
        ModelClients(),
        default_model=settings.default_model(),
        function_sources={"http": HttpFunctions(requests), "mcp": McpFunctions(servers)},
        sealer=Sealer(settings.secret),
    )
    try:
        yield BundleDesk(found.db, found.wakeup, Profiles(found.db, installation), encoder)
    finally:
        await requests.aclose()
        await servers.aclose()


async def draft_bundle(found: TenantWork, folder: Path, reference: str, description: str) -> list[str]:
    """Raises PromptError where a prompt changed without a new version, and what ``load_bundle`` raises."""
    folders = [prompts for prompts in (prompts_folder(), folder / "prompts") if prompts.is_dir()]
    for prompts in folders:
        check_versions(prompts)
    bundle = await asyncio.to_thread(load_bundle, reference, folder, default_model=found.settings.default_model())
    check_reused(bundle.declaration.prompts.values(), folders)
    content = BundleContent.of_declaration(bundle.declaration, bundle.library, bundle.model, bundle.contents)
    documents: dict[str, tuple[str, list[Any]]] = {
        one.digest: (one.title, [[chunk.heading, chunk.text, chunk.page] for chunk in one.chunks])
        for one in bundle.declaration.knowledge
    }
    async with _desk(found) as desk:
        name, new = await desk.draft(
            found.tenant_id, content, documents, description=description or bundle.description, actor=ACTOR
        )
    lines = [f"{name}  {'drafted' if new else 'there already'}: {description or bundle.description}"]
    lines += [f"  {part:11} {value}" for part, value in bundle.parts.items()]
    return [*lines, f"Next: atende eval run SUITE --bundle {reference} --json run.json"]


async def list_bundles(found: TenantWork) -> list[str]:
    """A line per bundle, then a line per step."""
    async with _desk(found) as desk:
        bundles, steps = await desk.listed(found.tenant_id), await desk.releases(found.tenant_id)
    lines = [
        f"{one.hash}  {one.state or '-':12}  {one.created_at:{_DAY}}  {one.created_by or '-':12}  {one.description}"
        for one in bundles
    ]
    lines += [""] if lines and steps else []
    for row in steps:
        kept = row["evidence"]
        why = kept.get("without_eval") or kept.get("reason") or ("evaluated" if kept.get("run") else "")
        share = f" {row['share']:.0%}" if row["kind"] == "canary" else ""
        lines.append(f"{row['created_at']:{_DAY}}  {row['kind'] + share:14}  {row['hash']}  {row['actor']}  {why}")
    return lines or ["There is no bundle yet: atende bundle draft FOLDER, or let a worker answer a message."]


async def show_bundle(found: TenantWork, name: str, *, as_json: bool) -> list[str]:
    """For people, or the whole as JSON with the documents' texts in it."""
    async with _desk(found) as desk:
        row, content = await desk.content(found.tenant_id, name)
        if as_json:
            kept = await desk.documents(found.tenant_id, content)
            texts = {digest: list(one["chunks"]) for digest, one in kept.items()}
            whole = {"bundle": row["hash"], "description": row["description"], **content.to_json(), "texts": texts}
            return [json.dumps(whole, ensure_ascii=False, indent=1)]
    lines = [f"{row['hash']}  {row['description']}"]
    lines += [f"  {part:11} {row['parts'][part]}" for part in row["parts"]]
    prompts = content.contents["prompts"]["files"]
    lines += [f"prompt {prompt} {version} ({digest[:12]})" for prompt, (version, digest) in sorted(prompts.items())]
    lines.append(f"model {json.dumps(content.model, ensure_ascii=False)}")
    lines += [f"setting {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.settings.items()]
    lines += [f"function {key}: {one.description}" for key, one in content.functions.items()]
    lines += [f"document {one.ref}: {one.title} ({one.digest[:12]})" for one in content.documents]
    lines.append(f"intents {', '.join(content.intents)}")
    return lines


async def diff_bundles(found: TenantWork, first: str, second: str) -> list[str]:
    """See BundleDesk.diff."""
    async with _desk(found) as desk:
        return await desk.diff(found.tenant_id, first, second) or ["Nothing differs."]


def evidence_of(path: Path, name: str, gates: Path | None = None) -> Evidence:
    """What a run document says of the bundle whose hash begins so. Raises NotARunError or InvalidInputError.

    It passed if it passes ``gates``. Without a file: no critical case failed, none was left without a result, and
    nothing got significantly worse than the bundle it was compared with; where there is none, every case passed.
    """
    run = Run.read(path)
    mine = next((one for one in run.bundles if one.hash.startswith(name)), None)
    if mine is None:
        had = ", ".join(f"{one.label}: {one.hash}" for one in run.bundles) or "none"
        raise InvalidInputError("--run", f"{path} is about other bundles ({had})", hint="Evaluate this one.")
    other = next((one for one in run.bundles if one.label != mine.label), None)
    alone = replace(run, bundles=(mine,), results=tuple(run.of(mine.label)))
    if not alone.results:
        raise InvalidInputError("--run", f"{path} holds no result of {name}", hint="Evaluate it.")
    # In the other modes, "simulated" are the cases that wrote down themselves what a (fooled) model says.
    if run.mode == "simulated" and any(result.origin == "simulated" for result in alone.results):
        raise InvalidInputError(
            "--run",
            f"{path} was simulated, which says nothing about the bundle's own model",
            hint="Run it in mode replay or live, or say --without-eval --reason '…'.",
        )
    if run.mode == BESIDE:
        raise InvalidInputError(
            "--run",
            f"{path} judges nothing: it shows a day's conversations beside what {name} would have done",
            hint="Run a suite: atende eval export makes one of the same days.",
        )
    wanted = load_gates(gates) if gates else _usual_gates(compared=other is not None)
    verdict = judge(run, compare(run, mine.label, other.label), wanted) if other else judge(alone, None, wanted)
    if not verdict.passed:
        failed = "; ".join(f"{one.gate}: {one.detail}" for one in verdict.gates if one.state == "failed")
        raise InvalidInputError("--run", f"{path} did not pass ({failed})", hint="Correct what failed.")
    results = alone.results
    told = {
        "suites": list(run.suites),
        "mode": run.mode,
        "started_at": run.started_at,
        "cases": len(results),
        "passed": sum(one.status == "passed" for one in results),
        "against": other.hash if other else None,
        "verdict": verdict.sentence,
    }
    return Evidence(evaluated=mine.hash, run=told)


def _usual_gates(*, compared: bool) -> Gates:
    rates = RateGates() if compared else RateGates(overall=1.0)
    regression = RegressionGate() if compared else None
    return Gates(critical_failures=0, errored_share=0.0, regression=regression, pass_rate=rates)


async def publish_bundle(found: TenantWork, name: str, evidence: Evidence, *, anyway: bool) -> list[str]:
    """See BundleDesk.publish."""
    async with _desk(found) as desk:
        before = await desk.in_force(found.tenant_id)
        done = await desk.publish(found.tenant_id, name, evidence, actor=ACTOR, anyway=anyway)
    return [f"{done} is in force; before it {before} was. Back: atende bundle rollback --tenant …"]


async def roll_back(found: TenantWork, to: str, reason: str) -> list[str]:
    """See BundleDesk.roll_back."""
    async with _desk(found) as desk:
        left, reached = await desk.roll_back(found.tenant_id, actor=ACTOR, to=to, reason=reason)
        now = await desk.in_force(found.tenant_id)
    lines = [f"{reached} is in force again, instead of {left}."]
    if now != reached:
        lines.append(f"Something that it names is not there any more, so what runs is {now}: atende bundle diff {now}.")
    return lines


async def run_canary(found: TenantWork, name: str, share: float, reason: str) -> list[str]:
    """See BundleDesk.canary."""
    async with _desk(found) as desk:
        done = await desk.canary(found.tenant_id, name, share, actor=ACTOR, reason=reason)
    return [f"{share:.0%} of the contacts meet {done}." if share else f"Nobody meets {done} any more."]
