"""The student records as training knows them: whose a student number is, and what its owner studies."""
