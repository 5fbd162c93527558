"""Shows measured networks: estimates with intervals, the table of findings, figures, and a page.

rows(networks)        what the analyses say of each network, and where they differ
page(networks, …)     one network's page, or several side by side
"""

from archdsl.report.networks.findings import Row, documents, rows
from archdsl.report.networks.measured import Estimate, Measured, Run
from archdsl.report.networks.page import page

__all__ = ["Estimate", "Measured", "Row", "Run", "documents", "page", "rows"]
