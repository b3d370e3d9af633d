"""Answers with and without the adapter: in this process, on ZeroGPU, behind a server."""
