"""The `onex` command: starts the stack, runs the demonstration, makes the samples."""
