"""Pure numpy and Arrow on one file or one batch."""
