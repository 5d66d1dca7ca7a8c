"""What goes back to the sender: error file, correction file, receipt; and corrections that come again."""
