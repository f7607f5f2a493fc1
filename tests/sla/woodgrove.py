"""Woodgrove Bank's support hours, with the Federal Reserve's holidays."""

from __future__ import annotations

import holidays

from services.sla.domain.hours import Holiday, Pattern, Season

MONDAY_TO_FRIDAY = (("08:00-17:00",),) * 5 + ((), ())
TAX_WEEK = (("07:00-19:00",),) * 5 + (("09:00-14:00",), ())


def regular_hours(first_year: int = 2026, last_year: int = 2026) -> Pattern:
    resolved = holidays.financial_holidays("XFED", years=range(first_year, last_year + 1))
    return Pattern(
        zone="America/Los_Angeles",
        weekly=MONDAY_TO_FRIDAY,
        seasons=(
            Season(
                name="tax season",
                weekly=TAX_WEEK,
                first_day="04-07",
                last_day="04-21",
                closest_weekdays=True,
            ),
        ),
        holidays=tuple(Holiday(on=on, name=name) for on, name in sorted(resolved.items())),
    )
