"""Debian's Chromium, headless: a page as a person would see it."""

import base64
import contextlib
import io
import pathlib
import re
import shutil

import numpy as np
from PIL import Image

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "chromium and chromedriver are not installed: apt install chromium"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}

# Text boxes that lie upon each other or leave the window, of what is shown.
# What scrolls in a container of its own is cut by intention.
LAYOUT = """
const found = {overlaps: [], outside: []}, boxes = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());) {
  const parent = node.parentElement;
  if (!node.data.trim() || parent.closest("svg, .unseen")) continue;
  if (!parent.checkVisibility({contentVisibilityAuto: true})) continue;
  const closed = parent.closest("details:not([open])");
  if (closed && !parent.closest("summary")) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const frame = parent.closest(".scroll, nav");
  const clip = frame && frame.getBoundingClientRect();
  for (let box of range.getClientRects()) {
    let left = box.left, right = box.right;
    if (clip) {
      if (left >= clip.right || box.bottom > clip.bottom + 1) continue;
      right = Math.min(right, clip.right);
    }
    if (right <= left || box.height === 0) continue;
    // The line box is taller than the letters.
    boxes.push({left, right, top: box.top + box.height * 0.2,
                bottom: box.bottom - box.height * 0.2,
                text: node.data.trim().slice(0, 40)});
    if (left < -0.5 || right > document.documentElement.clientWidth + 0.5)
      found.outside.push(node.data.trim().slice(0, 40));
  }
}
boxes.sort((a, b) => a.top - b.top);
boxes.forEach((a, i) => {
  for (let j = i + 1; j < boxes.length && boxes[j].top < a.bottom; ++j) {
    const b = boxes[j];
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1)
      found.overlaps.push([a.text, b.text]);
  }
});
return {...found, boxes: boxes.length,
        width: document.documentElement.scrollWidth};
"""


# Tables that are wider than what they scroll in, of what is shown.
WIDE = """
return [...document.querySelectorAll(".scroll, .screen")]
  .filter(e => e.scrollWidth > e.clientWidth + 1)
  .map(e => e.textContent.trim().slice(0, 60));
"""


@contextlib.contextmanager
def opened(path, *, size="desktop", dark=False, media="screen"):
    """Opens a file and gives the driver.

    Args:
        path: of the page.
        size: key of SIZES.
        dark: whether the person prefers dark pages.
        media: "screen" or "print".
    Yields: selenium's driver.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    options.add_argument("--disable-dev-shm-usage")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        show(driver, size=size, dark=dark, media=media)
        driver.get(pathlib.Path(path).absolute().as_uri())
        yield driver
    finally:
        driver.quit()


def show(driver, *, size="desktop", dark=False, media="screen"):
    """Changes the window and what the person prefers."""
    width, height = SIZES[size]
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": size == "phone",
        },
    )
    scheme = {
        "name": "prefers-color-scheme",
        "value": "dark" if dark else "light",
    }
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": media, "features": [scheme]}
    )


def pages(driver):
    """How many pages the open page takes on paper."""
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": "", "features": []}
    )
    printed = driver.execute_cdp_cmd(
        "Page.printToPDF", {"preferCSSPageSize": True}
    )
    data = base64.b64decode(printed["data"])
    return len(re.findall(rb"/Type\s*/Page\b", data))


def screenshot(driver, path=None, *, whole=True):
    """Takes the whole page, not only what fits the window.

    Args:
        driver: a page is open.
        path: where the PNG goes, if anywhere.
        whole: False takes what fits the window.
    Returns: uint8 [H, W, 3].
    """
    taken = driver.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": whole}
    )
    data = base64.b64decode(taken["data"])
    if path is not None:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).write_bytes(data)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
