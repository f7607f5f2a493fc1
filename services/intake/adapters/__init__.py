"""Foreign payloads turned into own commands; pure."""
