"""One module per command with ``run(args) -> exit code``; `hmdiff.cli` imports it when it is asked for."""
