"""Where in a file its table begins and ends: titles, names of columns, footers."""
