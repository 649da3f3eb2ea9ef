"""Benchmarks: OneX beside pipelines that promise less (DESIGN.md section 9)."""
