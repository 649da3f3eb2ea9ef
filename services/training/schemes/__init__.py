"""The certificate schemes as training knows them: their names and levels."""
