"""XLSX, XLS and ODS: every cell as the text that a person sees."""
