"""Business time on the UTC line: add it, measure it, list it and explain it; pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.sla.domain.hours import DAY, ROUND_THE_CLOCK, LocalDays, Pattern, Piece

_EPOCH = date(1970, 1, 1).toordinal()
_BLOCK = 32 * DAY
_SEARCHED = 30 * 366 * DAY // _BLOCK


class NeverOpen(Exception):
    """The calendar has no open time left within thirty years: such a deadline never comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A half-open span of time, `start` to `end` (aware UTC), that counts (`open`) or does not, and why."""

    start: datetime
    end: datetime
    open: bool
    why: str

    @property
    def seconds(self) -> int:
        """Length on the clock, whole seconds."""
        return _instant(self.end) - _instant(self.start)


@dataclass(frozen=True, slots=True)
class _Block:
    """32 UTC days: open intervals as seconds since 1970, and the open seconds before each of them."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    before: tuple[int, ...]
    total: int

    def worked(self, instant: int) -> int:
        """Open seconds of the block before `instant`."""
        index = bisect_right(self.starts, instant) - 1
        if index < 0:
            return 0
        return self.before[index] + min(instant, self.ends[index]) - self.starts[index]

    def reached(self, worked: int) -> int:
        """Return the first instant by which `worked` (1 .. total) open seconds have passed."""
        index = bisect_right(self.before, worked - 1) - 1
        return self.starts[index] + worked - self.before[index]


class Calendar:
    """A calendar version as a calculator; keeps what it has worked out, so share one per version.

    An instant is open when the wall clock of the zone reads an open time of its local date. So hours skipped
    in spring are no business time, and hours that come twice in autumn count twice. Instants are cut to whole
    seconds. All results are aware UTC.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._zone = ZoneInfo(pattern.zone)
        self._days = LocalDays(pattern)
        self._pieces: dict[int, tuple[Piece, ...]] = {}
        self._blocks: dict[int, _Block] = {}

    def add(self, start: datetime, seconds: int) -> datetime:
        """Return the first instant by which `seconds` (>= 0) of business time have passed since `start`."""
        if seconds < 0:
            raise ValueError("business time is added forwards")
        instant = _instant(start)
        if seconds == 0:
            return _moment(instant)
        first = instant // _BLOCK
        wanted = seconds + self._block(first).worked(instant)
        for number in range(first, first + _SEARCHED):
            block = self._block(number)
            if wanted <= block.total:
                return _moment(block.reached(wanted))
            wanted -= block.total
        raise NeverOpen(f"no open time within thirty years after {start.isoformat()}")

    def between(self, start: datetime, end: datetime) -> int:
        """Measure the business seconds from `start` to `end`; negative when `end` comes first."""
        a, b = _instant(start), _instant(end)
        if b < a:
            return -self.between(end, start)
        first, last = a // _BLOCK, b // _BLOCK
        whole = sum(self._block(number).total for number in range(first, last))
        return whole + self._block(last).worked(b) - self._block(first).worked(a)

    def intervals(self, start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """List the open intervals within `start` to `end`, in order, touching ones joined."""
        found: list[tuple[datetime, datetime]] = []
        for stretch in self.explain(start, end):
            if stretch.open and found and found[-1][1] == stretch.start:
                found[-1] = (found[-1][0], stretch.end)
            elif stretch.open:
                found.append((stretch.start, stretch.end))
        return tuple(found)

    def explain(self, start: datetime, end: datetime) -> tuple[Stretch, ...]:
        """Everything from `start` to `end` in order, open and closed with the reason, without gaps."""
        found: list[Stretch] = []
        for begins, ends, opened, why in self._walk(_instant(start), _instant(end)):
            if found and (found[-1].open, found[-1].why) == (opened, why):
                found[-1] = Stretch(start=found[-1].start, end=_moment(ends), open=opened, why=why)
            else:
                found.append(Stretch(start=_moment(begins), end=_moment(ends), open=opened, why=why))
        return tuple(found)

    def end_of_business_day(self, after: datetime, days: int) -> datetime:
        """Return the close of the `days`-th business day (>= 1) after the local date of `after`."""
        day = self.local_date(after)
        left = days
        for _ in range(days * 60 + 366):
            day += timedelta(days=1)
            left -= self._days.is_business_day(day)
            if left == 0:
                return self._close_of(day)
        raise NeverOpen(f"no {days} business days after {after.isoformat()}")

    def local_date(self, moment: datetime) -> date:
        """Return the date that the zone's wall calendar shows."""
        return moment.astimezone(self._zone).date()

    def _close_of(self, day: date) -> datetime:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        opened = self.intervals(noon - timedelta(days=2), noon + timedelta(days=2))
        ends = [end for _, end in opened if self.local_date(end - timedelta(seconds=1)) == day]
        midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone) + timedelta(days=1)
        return max(ends) if ends else midnight.astimezone(UTC)

    def _block(self, number: int) -> _Block:
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = self._computed(number)
        return block

    def _computed(self, number: int) -> _Block:
        starts: list[int] = []
        ends: list[int] = []
        before: list[int] = []
        total = 0
        for begins, end, opened, _ in self._walk(number * _BLOCK, (number + 1) * _BLOCK):
            if not opened:
                continue
            if ends and ends[-1] == begins:
                ends[-1] = end
            else:
                starts.append(begins)
                ends.append(end)
                before.append(total)
            total += end - begins
        return _Block(tuple(starts), tuple(ends), tuple(before), total)

    def _walk(self, start: int, end: int) -> Iterator[tuple[int, int, bool, str]]:
        """Open and closed spans of the UTC line, found by reading the wall clock under each offset."""
        for begins, ends, offset in self._offsets(start, end):
            wall, last = begins + offset, ends + offset
            for day in range(wall // DAY, (last - 1) // DAY + 1):
                midnight = day * DAY
                for piece in self._day(day):
                    piece_start = max(midnight + piece.start, wall)
                    piece_end = min(midnight + piece.end, last)
                    if piece_start < piece_end:
                        yield piece_start - offset, piece_end - offset, piece.open, piece.why

    def _offsets(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Spans of one UTC offset, in seconds; no zone changes its offset there and back within a day."""
        begins, offset = start, self._offset(start)
        instant = start
        while instant < end:
            until = min(instant + DAY, end)
            if self._offset(until) != offset:
                change = self._change(instant, until)
                if begins < change:
                    yield begins, change, offset
                begins, offset = change, self._offset(change)
            instant = until
        if begins < end:
            yield begins, end, offset

    def _change(self, low: int, high: int) -> int:
        offset = self._offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
        return high

    def _offset(self, instant: int) -> int:
        offset = _moment(instant).astimezone(self._zone).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def _day(self, day: int) -> tuple[Piece, ...]:
        pieces = self._pieces.get(day)
        if pieces is None:
            pieces = self._pieces[day] = self._days.pieces(date.fromordinal(_EPOCH + day))
        return pieces


def round_the_clock() -> Calendar:
    """Make the calendar of a target that knows no closing hours."""
    return Calendar(ROUND_THE_CLOCK)


def _instant(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("business time needs an aware datetime")
    return int(moment.timestamp() // 1)


def _moment(instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC)
