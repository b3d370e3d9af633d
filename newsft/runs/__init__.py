"""Trainings that readers of the page start: each a process of its own, one at a time on the machine."""
