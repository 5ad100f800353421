"""Tests that figures do not follow the user's settings of matplotlib."""

import os
import subprocess
import sys

import matplotlib
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from qmia_tf import plot_settings
from qmia_tf.report.figures.image_files import image_bytes

BACKEND = """
from qmia_tf import plot_settings
plot_settings.import_matplotlib()
import matplotlib
print(matplotlib.rcParams["backend"])
"""


def draw():
    with plot_settings.plain({"font.size": 8}):
        figure = Figure()
        axes = figure.add_subplot()
        axes.plot([0, 1], [1, 0])
        axes.set_title("$x$ and 5 %")
    return image_bytes(figure, "svg")


class PlotSettingsTest(parameterized.TestCase):
    @parameterized.parameters(("nonsense", "agg"), ("svg", "svg"))
    def test_backend_that_does_not_exist_is_not_minded(self, backend, used):
        environment = {**os.environ, "MPLBACKEND": backend, "DISPLAY": ""}
        done = subprocess.run(
            [sys.executable, "-c", BACKEND],
            capture_output=True,
            text=True,
            env=environment,
        )
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.strip(), used)

    def test_figures_do_not_follow_a_matplotlibrc(self):
        plain = draw()
        users = {
            "text.usetex": True,
            "axes.grid": True,
            "savefig.bbox": "tight",
            "svg.fonttype": "none",
            "lines.linewidth": 9,
        }
        with matplotlib.rc_context(users):
            self.assertEqual(draw(), plain)


if __name__ == "__main__":
    absltest.main()
