"""The columns and rules of a catalog: `schema`, and the language of rules over columns."""
