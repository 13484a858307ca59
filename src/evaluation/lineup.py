"""Everything that a run needs, made ready: suites, the bundles they are played under, and the models that are asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from langgraph.checkpoint.memory import InMemorySaver

from agent.encoder import Encoder
from agent.language_model import LanguageModel, ModelSettings
from domain.errors import AtendeError
from evaluation.asked_models import Models
from evaluation.bundles import AS_IT_STANDS, STAND_IN_MODEL, Bundle, load_bundle
from evaluation.cases import Case, Suite
from evaluation.known_names import check_names
from evaluation.model import EvalModels, Mode
from evaluation.recordings import Recordings
from evaluation.results import BundleRef, Origin
from evaluation.staging import DEFAULT_NOW, Contender
from evaluation.stand_in import StandIn
from evaluation.tenant import OfflineTenant

CANDIDATE, BASELINE = "A", "B"
"""Labels of the two bundles of a comparison."""


class NoTenantError(AtendeError):
    """A suite says of no tenant that it is about it, and none was named."""

    def __init__(self, suite: Suite) -> None:
        super().__init__(
            f"{suite.path}:1: the suite {suite.name} names no tenant.",
            hint="Write `tenant:` and its folder at the top of the file, or name one with --tenant.",
        )
        self.suite = suite.name


@dataclass(frozen=True, slots=True)
class ModelTerms:
    """Which models a run asks, and how. ``default``: the installation's, for bundles that name none."""

    mode: Mode = "replay"
    record: bool = False
    default: ModelSettings | None = None
    customer: ModelSettings | None = None
    """Plays customers; None: the bundle's own model does."""
    judge: ModelSettings | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is about. ``bundle`` and ``against``: references (evaluation.bundles); "" is what the suite names."""

    bundle: str = ""
    against: str | None = None
    tenant: Path | None = None
    """In place of the suites' own."""


@dataclass(frozen=True, slots=True)
class Lineup:
    """``contenders`` and ``models``: by suite, then by the bundle's label."""

    suites: tuple[Suite, ...]
    labels: tuple[str, ...]
    contenders: Mapping[str, Mapping[str, Contender]]
    models: Mapping[str, Mapping[str, Models]]
    refs: tuple[BundleRef, ...]
    asked: Mapping[str, Mapping[str, ModelSettings | None]]
    """The bundles' own models, the same way; None: it has none."""
    shared: EvalModels | None = None
    recordings: Mapping[Path, Recordings] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    """What else answers, beside the bundles: who plays customers, who judges, and the encoder, by name."""

    @property
    def tenant(self) -> str:
        """Slugs of all tenants that take part."""
        slugs = (one.declaration.settings.slug for each in self.contenders.values() for one in each.values())
        return ", ".join(dict.fromkeys(slugs))

    @property
    def versions(self) -> list[str]:
        """Of every tenant folder that takes part, code and data included."""
        return sorted({one.declaration.version for each in self.contenders.values() for one in each.values()})

    def only(self, case: Case) -> Lineup:
        """The same for one of its cases."""
        return replace(self, suites=tuple(replace(one, cases=(case,)) for one in self.suites if one.name == case.suite))

    async def aclose(self) -> None:
        """Close the models' connections, and keep what was recorded."""
        for one in self.recordings.values():
            one.save()
        if self.shared is not None:
            await self.shared.aclose()


def line_up(suites: Sequence[Suite], wanted: Wanted, encoder: Encoder, terms: ModelTerms) -> Lineup:
    """Read the bundles, check the cases' names against them, and train what each needs. Takes the encoder seconds.

    Raises NoTenantError, NoSuchBundleError, CaseFilesError, and what reading a tenant's folder, a prompt or recordings
    raises.
    """
    references = {CANDIDATE: wanted.bundle, **({BASELINE: wanted.against} if wanted.against is not None else {})}
    loaded: dict[tuple[Path, str], Bundle] = {}
    bundles: dict[str, dict[str, Bundle]] = {}
    for suite in suites:
        folder = wanted.tenant or suite.tenant
        if folder is None:
            raise NoTenantError(suite)
        for label, reference in references.items():
            key = (folder, reference or suite.bundle or AS_IT_STANDS)
            if key not in loaded:
                loaded[key] = _bundle(key[1], folder, terms)
            bundles.setdefault(suite.name, {})[label] = loaded[key]
    check_names(suites, {name: [one.declaration for one in by_label.values()] for name, by_label in bundles.items()})
    recordings = {folder: Recordings.of(folder) for folder in {suite.path.parent / "recordings" for suite in suites}}
    shared = EvalModels(terms.mode, record=terms.record, simulation=_simulation(encoder, terms))
    tenants: dict[int, OfflineTenant] = {}
    contenders: dict[str, dict[str, Contender]] = {}
    models: dict[str, dict[str, Models]] = {}
    for suite in suites:
        for label, bundle in bundles[suite.name].items():
            if id(bundle) not in tenants:
                tenants[id(bundle)] = OfflineTenant(bundle.declaration, encoder, today=DEFAULT_NOW.date())
            contenders.setdefault(suite.name, {})[label] = Contender(
                bundle.ref(label), bundle.declaration, tenants[id(bundle)], bundle.agent(InMemorySaver())
            )
            models.setdefault(suite.name, {})[label] = _BundleModels(
                shared, terms, bundle.model, recordings[suite.path.parent / "recordings"]
            )
    refs = tuple(_ref(label, {name: by_label[label] for name, by_label in bundles.items()}) for label in references)
    asked = {name: {label: one.model for label, one in by_label.items()} for name, by_label in bundles.items()}
    named = {"customer": terms.customer, "judge": terms.judge}
    others = {"encoder": encoder.name, **{role: one.model for role, one in named.items() if one is not None}}
    return Lineup(tuple(suites), tuple(references), contenders, models, refs, asked, shared, recordings, others)


def _bundle(reference: str, folder: Path, terms: ModelTerms) -> Bundle:
    bundle = load_bundle(reference, folder, default_model=terms.default)
    if terms.mode == "simulated" and bundle.model is None:
        bundle = replace(bundle, model=replace(terms.default or ModelSettings(""), model=STAND_IN_MODEL))
    return bundle


def _simulation(encoder: Encoder, terms: ModelTerms) -> StandIn | None:
    return StandIn(encoder, seed=terms.seed) if terms.mode == "simulated" else None


def _ref(label: str, bundles: Mapping[str, Bundle]) -> BundleRef:
    """One for all tenants: what differs between them goes into it."""
    different = list({id(one): one for one in bundles.values()}.values())
    if len(different) == 1:
        return different[0].ref(label)
    by_name = {f"{one.declaration.settings.slug} {one.reference}".removesuffix(" ."): one for one in different}
    parts = {f"{name}/{part}": digest for name, one in by_name.items() for part, digest in one.parts.items()}
    whole = hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in sorted(parts.items())).encode())
    return BundleRef(label, whole.hexdigest()[:16], " · ".join(one.description for one in different), parts)


class _BundleModels:
    """A bundle's models for the cases of one suite."""

    def __init__(
        self, shared: EvalModels, terms: ModelTerms, model: ModelSettings | None, recordings: Recordings
    ) -> None:
        self._shared, self._terms, self._model, self._recordings = shared, terms, model, recordings

    @property
    def origin(self) -> Origin:
        return self._shared.origin

    def agent(self, case: Case, epoch: int) -> LanguageModel | None:  # noqa: ARG002 - Models
        return self._asked(self._model, epoch)

    def customer(self, case: Case, epoch: int) -> LanguageModel | None:  # noqa: ARG002 - Models
        return self._other(self._terms.customer, epoch)

    def judge(self, case: Case, epoch: int) -> LanguageModel | None:  # noqa: ARG002 - Models
        return self._other(self._terms.judge, epoch)

    def _other(self, settings: ModelSettings | None, epoch: int) -> LanguageModel | None:
        # The stand-in knows how to be an agent, and nothing else.
        return None if self._terms.mode == "simulated" else self._asked(settings or self._model, epoch)

    def _asked(self, settings: ModelSettings | None, epoch: int) -> LanguageModel | None:
        return self._shared.model(settings, self._recordings, sample=epoch) if settings is not None else None
