import html
import re

import pytest
from synthetic import HEADER, SUMMARY, geometry, structure

from platonic_ase import report
from platonic_ase.errors import LogError, PlatonicWarning
from platonic_ase.monitor.diagnosis import Diagnosis, Finding, Signal


def test_the_report_is_the_output_of_a_cell(write_log):
    path = write_log(HEADER, structure(), geometry(0), geometry(1), SUMMARY)
    page = report.show(path)
    (inside,) = re.findall(r'srcdoc="([^"]*)"', page._repr_html_())
    assert html.unescape(inside) == page.html
    assert "No warning in 2 geometries" in page.html


def test_a_calculator_without_a_log_has_no_report():
    class Silent:
        log_path = None

    with pytest.raises(LogError, match="writes no log"):
        report.show(Silent())


def test_a_diagnosis_in_a_notebook():
    signal = Signal("k", 2.0, 1.0, 0.5, "", "<b>hot</b>", "Cool it.", category=PlatonicWarning)
    finding = Finding("f", scalars={"score": 0.25}, risks={"r": "uncalibrated"}, signals=(signal,))
    text = Diagnosis(7, 0, {"f": finding})._repr_html_()
    for said in ("geometry 7", "&lt;b&gt;hot&lt;/b&gt; Cool it.", "0.25", "uncalibrated"):
        assert said in text
