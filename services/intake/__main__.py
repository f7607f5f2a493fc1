"""Runs intake: `python -m services.intake api | worker | migrate`."""

import sys

from services.intake.app import definition
from shared.http.entry import main
from shared.runtime.settings import ServiceSettings

if __name__ == "__main__":
    main(definition(), ServiceSettings, sys.argv[1:])
