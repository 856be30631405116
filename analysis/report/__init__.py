"""The report of a run: one HTML file with answer, trust, pictures, viewer, plots, tables, methods and provenance."""

from analysis.report.page import REPORT_FILE, build_report_html, write_report
from analysis.report.viewer_data import MAX_FRAMES, ViewerCase, ViewerData

__all__ = ["MAX_FRAMES", "REPORT_FILE", "ViewerCase", "ViewerData", "build_report_html", "write_report"]
