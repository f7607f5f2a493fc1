"""What every test can ask for: real PostgreSQL, real Kafka."""

pytest_plugins = ["tests.support.real", "tests.support.kafka"]
