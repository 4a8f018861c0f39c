"""The page that shows recovery codes once."""

from flask import render_template


def codes_page(codes: list[str]) -> str:
    """Ten codes to copy, download or print; its form says that they are kept."""
    return render_template("recovery/codes.html", codes=codes)
