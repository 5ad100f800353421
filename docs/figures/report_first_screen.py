"""Takes the picture of a report's first screen, in Chromium.

    python docs/figures/report_first_screen.py [RUN_DIR ...]

Without run directories it reports on two audits that the tests keep in
tests/golden/: a ResNet-18 on digits in full precision, and with 4-bit weights
and activations. Needs chromium and chromedriver; writes report_first_screen.png
beside itself. Takes half a minute.
"""

import pathlib
import sys
import tempfile

import drawing

ROOT = drawing.FOLDER.parent.parent
PICTURE = "report_first_screen.png"
NAME = "ResNet-18 on digits, float and 4-bit"
SIZE = (1280, 900)
# Where what belongs to the answer ends.
BOTTOM = """
return document.querySelector("#contents").getBoundingClientRect().top;
"""


def kept_audits():
    """The two audits of tests/golden/."""
    import golden_audits

    from qmia_tf import typed_json
    from qmia_tf.auditing.audit_result import AuditResult

    trees, _ = golden_audits.stored()
    return [
        typed_json.decode(AuditResult, trees[f"{name}.audit"], source=name)
        for name in ("full_precision", "quantized")
    ]


def main(run_dirs=(), folder=drawing.FOLDER):
    """Writes the picture; returns its path."""
    import chromium

    from qmia_tf.report import make_report

    with tempfile.TemporaryDirectory() as out:
        _, page = make_report(
            list(run_dirs) or kept_audits(),
            out,
            name=None if run_dirs else NAME,
            formats=["html"],
        )
        path = pathlib.Path(folder) / PICTURE
        with chromium.opened(page) as driver:
            bottom = int(driver.execute_script(BOTTOM))
            driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {
                    "width": SIZE[0],
                    "height": min(bottom, SIZE[1]),
                    "deviceScaleFactor": 1,
                    "mobile": False,
                },
            )
            chromium.screenshot(driver, path, whole=False)
    return path


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    print(main(sys.argv[1:]))
