"""Assessment: TEOs and schemes, plans and candidates, results and certificates."""
