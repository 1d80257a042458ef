"""The configurations of papers that come with the package, and the published reports of runs of them."""
