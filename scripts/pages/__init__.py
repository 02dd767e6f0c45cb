"""The course as a site: `python -m scripts.pages` writes `build/site` from what is there."""
