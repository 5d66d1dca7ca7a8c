"""Parquet, row group by row group."""
