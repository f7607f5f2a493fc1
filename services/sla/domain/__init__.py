"""Pure rules of agreements, calendars and clocks; nothing here does I/O."""
