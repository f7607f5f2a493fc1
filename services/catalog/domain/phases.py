"""The life of a service: its phases, the ways between them and the gates on the ways."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.catalog.domain.facts import Owners


class Phase(StrEnum):
    """Where a service stands; the first three are the pipeline."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    IN_DEVELOPMENT = "in_development"
    IN_SERVICE = "in_service"
    RETIRING = "retiring"
    RETIRED = "retired"
    DECLINED = "declined"


class Transition(StrEnum):
    """A way from one phase to another, named as the resource that takes it."""

    APPROVAL = "approval"
    REFUSAL = "refusal"
    DEVELOPMENT = "development"
    GO_LIVE = "go-live"
    RETIREMENT_NOTICE = "retirement-notice"
    REINSTATEMENT = "reinstatement"
    RETIREMENT = "retirement"


class Gap(StrEnum):
    """What a service in use must have and does not."""

    NO_SERVICE_OWNER = "no_service_owner"
    NO_BUSINESS_OWNER = "no_business_owner"
    NO_SERVICE_MAP = "no_service_map"
    NO_AGREEMENT = "no_agreement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From which phases a transition leads to which."""

    sources: frozenset[Phase]
    target: Phase


PIPELINE = frozenset({Phase.PROPOSED, Phase.APPROVED, Phase.IN_DEVELOPMENT})
LIVE = frozenset({Phase.IN_SERVICE, Phase.RETIRING})
ENDED = frozenset({Phase.RETIRED, Phase.DECLINED})

WAYS = {
    Transition.APPROVAL: Way(sources=frozenset({Phase.PROPOSED}), target=Phase.APPROVED),
    Transition.REFUSAL: Way(sources=frozenset({Phase.PROPOSED}), target=Phase.DECLINED),
    Transition.DEVELOPMENT: Way(sources=frozenset({Phase.APPROVED}), target=Phase.IN_DEVELOPMENT),
    # A service that is bought, not built, goes live straight after its approval.
    Transition.GO_LIVE: Way(
        sources=frozenset({Phase.APPROVED, Phase.IN_DEVELOPMENT}), target=Phase.IN_SERVICE
    ),
    Transition.RETIREMENT_NOTICE: Way(sources=frozenset({Phase.IN_SERVICE}), target=Phase.RETIRING),
    Transition.REINSTATEMENT: Way(sources=frozenset({Phase.RETIRING}), target=Phase.IN_SERVICE),
    Transition.RETIREMENT: Way(sources=frozenset({Phase.RETIRING}), target=Phase.RETIRED),
}


def transitions_from(phase: Phase) -> tuple[Transition, ...]:
    """Name the ways that lead out of a phase."""
    return tuple(transition for transition, way in WAYS.items() if phase in way.sources)


def gaps(owners: Owners, *, service_map: str, agreement: str) -> tuple[Gap, ...]:
    """Name what is missing for use; map and agreement are references, blank when there is none."""
    held = {
        Gap.NO_SERVICE_OWNER: owners.service_owner is not None,
        Gap.NO_BUSINESS_OWNER: owners.business_owner is not None,
        Gap.NO_SERVICE_MAP: bool(service_map),
        Gap.NO_AGREEMENT: bool(agreement),
    }
    return tuple(gap for gap, is_held in held.items() if not is_held)
