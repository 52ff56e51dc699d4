"""Contract suites and makers for tests, ours and plug-ins'."""
