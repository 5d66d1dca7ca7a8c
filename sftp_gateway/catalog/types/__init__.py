"""Text → typed values: one module per family of types, each over whole Arrow columns."""
