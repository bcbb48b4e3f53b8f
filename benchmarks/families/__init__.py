"""Pipeline families and catalogs of the benchmarks."""
