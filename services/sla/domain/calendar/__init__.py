"""Support hours with their exceptions, drafted and published in versions."""
