"""The claims of the papers, each put to the test on real images."""
