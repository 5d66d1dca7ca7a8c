"""What a file may be packed in: gzip, zstd, a zip with one member."""
