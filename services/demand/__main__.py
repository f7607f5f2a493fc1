"""Runs demand: `python -m services.demand api | worker | migrate`."""

import sys

from services.demand.app import definition
from shared.http.entry import main
from shared.runtime.settings import ServiceSettings

if __name__ == "__main__":
    main(definition(), ServiceSettings, sys.argv[1:])
