"""The report of sites as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trajnet.evaluate.html_report import filled, section, table
from trajnet.protocols.sites.table import Table
from trajnet.protocols.sites.tables import fallback_lines, headline_lines, site_line, site_tables, summary_tables


def page(report: Mapping[str, Any]) -> str:
    """Return the page of a report of ``benchmark_sites``; nothing in it asks the network for anything."""
    lines = [*headline_lines(report), *fallback_lines(report)]
    return filled("Sites · trajnet benchmark", " ".join(f"{line}." for line in lines), _body(report))


def _body(report: Mapping[str, Any]) -> Iterator[str]:
    for each in summary_tables(report):
        yield _section(each)
    yield section("Sites", "", [table(("site",), [(site_line(site),) for site in report["sites"]])])
    for each in site_tables(report, everything=True):
        yield _section(each)


def _section(each: Table) -> str:
    return section(each.title, each.note, [table(each.head, each.rows)])
