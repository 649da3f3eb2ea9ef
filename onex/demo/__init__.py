"""`onex demo`: the main job of one college, driven over HTTP alone, and held against what must come of it."""

from onex.demo.driver import run as run
