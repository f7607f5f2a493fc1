"""Agreements as given, when, then; and which agreement covers a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.sla.domain.agreement import commands, events
from services.sla.domain.agreement.decider import (
    AGREEMENT,
    AlreadySigned,
    CalendarNotPublished,
    InForceTooEarly,
    NothingToSign,
    NotInForce,
    NotSigned,
    SameCoverage,
    TermsUnusable,
    UnknownAgreement,
)
from services.sla.domain.coverage import Cover, covering, rivals
from services.sla.domain.terms import AgreementKind, Party, Terms
from tests.sla.builders import AGREEMENT_ID, CONTACT, NOMINAL
from tests.support.specification import specify

NOW = datetime(2026, 5, 17, 9, tzinfo=UTC)
TERMS = Terms(
    kind=AgreementKind.SLA,
    title="Desktop Computing Service SLA",
    revision="1.0",
    provider="IT",
    customer="Woodgrove Bank",
    services=("Desktop Computing Service",),
    in_force_from=datetime(2007, 5, 17, tzinfo=UTC),
    targets=(NOMINAL, CONTACT),
)
DRAFTED = events.AgreementDrafted(version=1, terms=TERMS, occurred_at=NOW)
SIGN = commands.SignAgreement(party=Party.PROVIDER, by="Service Level Management", signed_at=NOW)
BY_PROVIDER = events.AgreementPartySigned(
    version=1, party=Party.PROVIDER, by="Service Level Management", occurred_at=NOW
)
BY_CUSTOMER = replace(BY_PROVIDER, party=Party.CUSTOMER, by="Head of Retail")
SIGNED = events.AgreementSigned(version=1, terms=TERMS, occurred_at=NOW)
IN_FORCE = events.AgreementInForce(version=1, terms=TERMS, occurred_at=NOW)
PUT = commands.PutInForce(agreement_id=AGREEMENT_ID, rivals=(), without_hours=(), decided_at=NOW)


def test_an_agreement_counts_once_both_parties_have_signed() -> None:
    draft = specify(AGREEMENT).given(DRAFTED)
    draft.when(SIGN).then(BY_PROVIDER)
    by_customer = replace(SIGN, party=Party.CUSTOMER, by="Head of Retail")
    draft.when(SIGN, by_customer).then(BY_CUSTOMER, SIGNED)
    draft.when(SIGN, by_customer, PUT).then(IN_FORCE)


def test_one_signature_is_not_enough() -> None:
    specify(AGREEMENT).given(DRAFTED, BY_PROVIDER).when(PUT).then_rejected(NotSigned)


def test_a_party_signs_once() -> None:
    specify(AGREEMENT).given(DRAFTED, BY_PROVIDER).when(SIGN).then_rejected(AlreadySigned, "/party")


def test_a_signed_version_cannot_be_signed_again_nor_redrafted_in_place() -> None:
    signed = specify(AGREEMENT).given(DRAFTED, BY_PROVIDER, BY_CUSTOMER, SIGNED)
    signed.when(SIGN).then_rejected(NothingToSign)
    again = commands.DraftAgreement(terms=TERMS, drafted_at=NOW)
    signed.when(again).then(replace(DRAFTED, version=2))


def test_a_new_version_takes_the_place_of_the_old_one_at_its_date() -> None:
    later = replace(TERMS, revision="1.1", in_force_from=NOW + timedelta(days=30))
    second = replace(DRAFTED, version=2, terms=later)
    given = specify(AGREEMENT).given(
        DRAFTED, SIGNED, IN_FORCE, second, replace(SIGNED, version=2, terms=later)
    )
    given.when(PUT).then(
        events.AgreementSuperseded(
            version=1,
            superseded_by=AGREEMENT_ID,
            by_version=2,
            ends_at=later.in_force_from,
            occurred_at=NOW,
        ),
        replace(IN_FORCE, version=2, terms=later),
    )


def test_a_new_version_does_not_reach_back() -> None:
    earlier = replace(TERMS, in_force_from=NOW - timedelta(days=1))
    given = specify(AGREEMENT).given(
        DRAFTED,
        SIGNED,
        IN_FORCE,
        replace(DRAFTED, version=2, terms=earlier),
        replace(SIGNED, version=2, terms=earlier),
    )
    given.when(PUT).then_rejected(InForceTooEarly, "/in_force_from")


def test_an_agreement_that_covers_the_same_as_another_is_not_put_in_force() -> None:
    rivalled = replace(PUT, rivals=("Branch Desktop SLA",))
    specify(AGREEMENT).given(DRAFTED, SIGNED).when(rivalled).then_rejected(SameCoverage)


def test_an_agreement_whose_hours_are_not_published_is_not_put_in_force() -> None:
    unpublished = replace(PUT, without_hours=("contact",))
    specify(AGREEMENT).given(DRAFTED, SIGNED).when(unpublished).then_rejected(CalendarNotPublished)


def test_an_agreement_ends_before_its_time_with_a_reason() -> None:
    end = commands.TerminateAgreement(ends_at=NOW, reason="the service is retired", decided_at=NOW)
    given = specify(AGREEMENT).given(DRAFTED, SIGNED, IN_FORCE)
    given.when(end).then(
        events.AgreementTerminated(version=1, ends_at=NOW, reason="the service is retired", occurred_at=NOW)
    )
    given.when(end, end).then_rejected(NotInForce)
    given.when(replace(end, reason=" ")).then_rejected(TermsUnusable, "/reason")


def test_what_does_not_exist_cannot_be_signed() -> None:
    specify(AGREEMENT).when(SIGN).then_rejected(UnknownAgreement)


def test_terms_that_no_clock_can_run_on_are_refused_with_everything_wrong() -> None:
    wrong = replace(
        TERMS, targets=(replace(NOMINAL, seconds=None), NOMINAL, replace(CONTACT, thresholds=(0,)))
    )
    refused = (
        specify(AGREEMENT)
        .when(commands.DraftAgreement(terms=wrong, drafted_at=NOW))
        .then_rejected(TermsUnusable, "/terms")
    )
    assert "either a number of seconds" in refused.detail
    assert "two targets are called incident-nominal" in refused.detail
    assert "a threshold is a percentage" in refused.detail


def cover(number: int, **changes: object) -> Cover:
    fields: dict[str, object] = {
        "agreement_id": UUID(int=number),
        "version": 1,
        "title": f"agreement {number}",
        "kind": AgreementKind.SLA,
        "services": frozenset(),
        "customers": frozenset(),
        "starts_at": NOW - timedelta(days=100),
        "ends_at": None,
    }
    return Cover(**(fields | changes))  # type: ignore[arg-type]


def covered(*covers: Cover, opened_at: datetime = NOW) -> list[int]:
    found = covering(covers, service="Desktop", customer="Retail", opened_at=opened_at)
    return [each.agreement_id.int for each in found]


def test_the_most_specific_agreement_covers_a_record() -> None:
    general, desktop = cover(1), cover(2, services=frozenset({"Desktop"}))
    retail = cover(3, customers=frozenset({"Retail"}))
    assert covered(general, desktop) == [2]
    assert covered(general, desktop, retail) == [3]
    assert covered(cover(4, services=frozenset({"Telephony"}))) == []


def test_coverage_is_judged_at_the_opening() -> None:
    ended = cover(1, ends_at=NOW)
    assert covered(ended, opened_at=NOW - timedelta(seconds=1)) == [1]
    assert covered(ended) == []
    assert covered(cover(2, starts_at=NOW)) == [2]


def test_an_ola_stands_beside_the_sla() -> None:
    assert covered(cover(2, kind=AgreementKind.OLA), cover(1)) == [1, 2]


def test_rivals_cover_the_same_at_the_same_time_just_as_specifically() -> None:
    desktop = frozenset({"Desktop"})
    known = [cover(1), cover(2, services=desktop), cover(3, services=desktop, ends_at=NOW)]
    assert rivals(known, cover(9, services=desktop, starts_at=NOW)) == ("agreement 2",)
    assert rivals(known, cover(2, services=desktop)) == ("agreement 3",)
