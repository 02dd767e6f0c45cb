"""cvcourse: computer vision beyond classification.

The reference wing (`losses`, `metrics`, `ops`, `models`) needs torch, numpy and jaxtyping alone.
`data` and `classroom` serve the lessons; install them with the extra `lessons`.
Sub-packages are imported by whoever needs them: `import cvcourse` itself loads nothing.
"""

__version__ = "0.1.0"
