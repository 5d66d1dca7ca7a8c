"""The SFTP gateway: brands drop product catalogs by SFTP; they are checked, compared and published."""

__version__ = "0.1.0"
