"""`python -m sftp_gateway` is the same as `sftp-gateway`."""

from sftp_gateway.cli import program

if __name__ == "__main__":
    program()
