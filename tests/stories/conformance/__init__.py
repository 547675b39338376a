"""The conformance cases: what an application meets, whatever a provider does (docs/conformance.md)."""
