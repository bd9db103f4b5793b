import shutil
from pathlib import Path
from typing import Any

import pytest
from browsing import PATIENCE
from synthetic import lines


@pytest.fixture
def write_log(tmp_path):
    """Write records to a log, its last ``cut`` characters missing."""

    def write(*records: dict[str, Any], cut: int = 0) -> Path:
        text = lines(*records)
        path = tmp_path / "run.jsonl"
        path.write_text(text[: len(text) - cut], encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for each in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=900,900"):
        options.add_argument(f"--{each}")
    options.add_argument("--enable-unsafe-swiftshader")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.set_script_timeout(PATIENCE)
    opened.set_page_load_timeout(PATIENCE)
    yield opened
    opened.quit()
