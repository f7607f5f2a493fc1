"""A request for change: drafted, judged, decided and carried out."""
