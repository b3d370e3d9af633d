"""Rows from files or the hub -> messages -> test and training split."""
