"""`python -m sftp_gateway` is the same as `sftp-gateway`."""

import sys

from sftp_gateway.cli import main

if __name__ == "__main__":
    sys.exit(main())
