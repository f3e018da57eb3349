"""The write side: one module per action. The only code that changes anything anywhere."""
