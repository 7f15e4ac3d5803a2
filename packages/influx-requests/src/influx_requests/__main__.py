"""`python -m influx_requests` is the command line `influxq`."""

import sys

from ._cli import main

if __name__ == "__main__":
    sys.exit(main())
