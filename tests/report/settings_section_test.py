"""The settings of audited runs: what was said, and what was measured."""

import synthetic_audits
from absl.testing import absltest

from qmia_tf.report import run_list
from qmia_tf.report.html import settings_section


class SettingsTest(absltest.TestCase):
    def test_what_was_measured_is_a_row_of_its_model(self):
        evidence = "right on 97 of 100 members"
        models = [
            {"name": "net", "input_range": "0..1"},
            {"name": "file", "measured": {"input_range": evidence}},
        ]
        config = {"seed": 3, "models": models, "list": [], "sizes": [8, 8, 1]}
        audit = synthetic_audits.result(config=config)
        tables = settings_section.fact_tables([run_list.Run(audit)])
        (table,) = [x for x in tables if x.name == "configuration"]
        self.assertEqual(
            {row[0]: row[1] for row in table.rows},
            {
                "seed": "3",
                "models.net.name": "net",
                "models.net.input_range": "0..1",
                "models.file.name": "file",
                "models.file.measured.input_range": evidence,
                "list": "",
                "sizes": "8, 8, 1",
            },
        )


if __name__ == "__main__":
    absltest.main()
