"""results/: read again, compared with full precision, what is shipped."""

import csv
import io
import itertools
import pathlib
import re
import shutil
from unittest import mock

import other_writer
import reproduction_results as made
import tensorflow as tf
from absl.testing import parameterized

from paper import (
    change_tables,
    equal_accuracy,
    full_precision,
    ledger,
    page_parts,
    plans,
    reproduction_files,
    result_pages,
    stages,
    stored_results,
)
from qmia_tf import files, locks
from qmia_tf.errors import InputError
from qmia_tf.report.tables import as_csv
from qmia_tf.run_dir import RunDir

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = (ROOT / "docs" / "findings.md", ROOT / "docs" / "reproduction.md")
# Pages in whose words every decimal is looked up in the tables.
IN_WORDS = (PAGES[0], ROOT / "docs" / "findings_in_detail.md")
# Each line: number | table | cells that name one row | column.
NUMBERS = pathlib.Path(__file__).parent / "numbers_in_words.txt"
CHANCE = "0.5"
# Sections of reproduction.md about runs whose tables are elsewhere.
OTHER_RUNS = (
    "Under the strongest attacks",
    "Who queries the int8 file, and who holds it",
)
README, FOUND = ROOT / "README.md", "\n## What we found\n"


class LoadTest(made.Results):
    def copied(self):
        folder = pathlib.Path(self.create_tempdir()) / "results"
        shutil.copytree(self.results, folder)
        return folder

    def test_full_precision_that_was_trained_again_is_another_model(self):
        folder = self.copied()
        place = folder / "cifar10" / "plain"
        shutil.rmtree(place / "w32a32-seed0")
        # Another model of the same seed; and none.
        shutil.copytree(place / "w32a32-seed1", place / "w32a32-seed0")
        shutil.rmtree(place / "w32a32-seed1")
        quantized = [
            entry
            for entry in stored_results.load(folder)
            if entry.job.model == "w4a4"
        ]
        self.assertLen(quantized, 2)
        one, none = quantized
        self.assertIsNone(none.comparison)
        # Compared with the epochs of the model that is there.
        other = self.finished[1]
        self.assertFalse(one.is_paired)
        for score, leak in one.comparison.trained.leak.items():
            ends = [x.sweep.points[-1].leaks[score] for x in (one, other)]
            self.assertAlmostEqual(
                leak.difference.value, ends[0].value - ends[1].value
            )
        (row,) = made.rows_of(
            change_tables.changes(stored_results.load(folder))
        )
        difference = one.comparison.trained.leak["margin"].difference
        self.assertEqual(float(row["margin_auc_change"]), difference.value)
        self.assertEqual(float(row["margin_auc_change_low"]), difference.low)
        (row,) = made.rows_of(
            equal_accuracy.matched(stored_results.load(folder))
        )
        self.assertEqual(row["intervals"], "unpaired")

    @parameterized.parameters("accuracy_members", "accuracy_nonmembers")
    def test_one_record_tells_another_model(self, measure):
        folder = self.copied()
        path = RunDir(folder / "cifar10" / "plain" / "w32a32-seed0").audit
        stored_audit = files.read_json(path)
        (keras,) = (
            x for x in stored_audit["targets"] if x["target"] == "keras"
        )
        keras[measure]["value"] -= 1 / made.RECORDS
        files.write_json(path, stored_audit)
        quantized = [
            entry
            for entry in stored_results.load(folder)
            if entry.job.model == "w4a4"
        ]
        paired = [entry.is_paired for entry in quantized]
        self.assertEqual(paired, [False, True])

    def test_what_cannot_be_held_is_to_do(self):
        folder = self.copied()
        path = (
            folder / "cifar10" / "plain" / "w32a32-seed0" / stored_results.SWEEP
        )
        path.unlink()
        (
            folder / "cifar10" / "plain" / "w4a4-seed0" / stored_results.MATCHED
        ).unlink()
        jobs = [x.job for x in self.finished if x.job.model == "w4a4"]
        held = [stored_results.has_comparison(job, folder) for job in jobs]
        self.assertEqual(held, [False, True])
        self.assertTrue(stored_results.has_comparison(jobs[0].full, folder))
        with mock.patch.object(stages, "is_stored", return_value=True):
            asked = [jobs[0].full, *jobs]
            self.assertEqual(stages.not_stored(asked, folder), jobs[:1])
            shutil.rmtree(path.parent)
            self.assertFalse(stored_results.has_comparison(jobs[0], folder))


class HarvestTest(tf.test.TestCase):
    def test_takes_what_is_small(self):
        folder = pathlib.Path(self.create_tempdir())
        out, results = folder / "runs", folder / "results"
        job = plans.Job("cifar10", "plain", "w4a4", 0)
        sizes = {
            "audit.json": 10,
            "model.keras": 10,
            "artifacts/manifest.json": 10,
            "artifacts/int8.tflite": 10,
            "outputs/int8.npz": stored_results.SMALL,
            "outputs/keras.npz": stored_results.SMALL + 1,
        }
        for name, size in sizes.items():
            path = out / job.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * size)
        for _ in range(2):
            stored_results.collect(job, out, results)
            place = results / job.folder
            files = [x for x in place.rglob("*") if x.is_file()]
            self.assertCountEqual(
                [x.relative_to(place).as_posix() for x in files],
                ["audit.json", "manifest.json", "outputs/int8.npz"],
            )
        # What an earlier run of that name left goes; what is not of runs, not.
        for name in ("matched.json", "outputs/keras.npz", "note.txt"):
            (place / name).write_bytes(b"y")
        stored_results.collect(job, out, results)
        files = [x for x in place.rglob("*") if x.is_file()]
        self.assertCountEqual(
            [x.relative_to(place).as_posix() for x in files],
            ["audit.json", "manifest.json", "note.txt", "outputs/int8.npz"],
        )

    def test_second_writer_waits_for_the_first_and_stops(self):
        folder = pathlib.Path(self.create_tempdir())
        job = plans.Job("cifar10", "plain", "w4a4", 0)
        files.write_bytes(folder / job.folder / "audit.json", b"x")
        results = folder / "results"
        for product, write in (
            (
                results / job.folder,
                lambda: stored_results.collect(job, folder, results),
            ),
            (results / "tables", lambda: reproduction_files.write(results)),
        ):
            with (
                other_writer.writing(product),
                mock.patch.object(locks, "SHORT", 0.1),
                self.assertRaisesRegex(InputError, "is being written by"),
            ):
                write()
        self.assertEqual(list(results.rglob("*.json")), [])


class StoredResultsTest(tf.test.TestCase):
    """What the repository ships follows from its audits."""

    def setUp(self):
        super().setUp()
        self.results = ROOT / "paper" / "results"
        if not (self.results / "tables").exists():
            self.skipTest("no results yet")

    def assert_same_cells(self, text, again):
        """Numbers may differ as they do between processors, no more."""
        both = [
            list(csv.reader(io.StringIO(content))) for content in (text, again)
        ]
        self.assertEqual(*(list(map(len, rows)) for rows in both))
        for one, other in zip(
            *map(itertools.chain.from_iterable, both), strict=True
        ):
            if one != other:
                self.assertAllClose(
                    float(one), float(other), rtol=1e-9, atol=1e-12
                )

    def test_tables_figures_and_page(self):
        finished = stored_results.load(self.results)
        tables = reproduction_files.tables(
            finished, reproduction_files.same_paths(self.results)
        )
        drawn = reproduction_files.figures(finished)
        for folder, listed in (
            ("tables", {x.name: x for x in tables}),
            ("figures", {x.name: x.data for x in drawn}),
        ):
            there = {x.stem for x in (self.results / folder).glob("*.csv")}
            self.assertEqual(there, set(listed))
            for name, table in listed.items():
                path = self.results / folder / f"{name}.csv"
                with self.subTest(f"{folder}/{name}"):
                    self.assert_same_cells(path.read_text(), as_csv(table))
        parts = page_parts.parts(
            finished, drawn, folder=reproduction_files.FIGURES
        )
        pages = result_pages.pages(parts, tables, drawn)
        pages["commands.md"] = ledger.commands(finished)
        for name, text in pages.items():
            with self.subTest(name):
                self.assertEqual((self.results / name).read_text(), text)
        for page in PAGES:
            filled = page_parts.parts(
                finished, drawn, folder="../paper/results/figures"
            )
            text = page.read_text()
            self.assertRegex(text, page_parts.PART)
            self.assertEqual(page_parts.fill(text, filled), text)

    def test_points_alone_say_the_same_and_are_less_sure(self):
        finished = stored_results.load(self.results)
        sweeps = {x.job.folder: x.sweep for x in finished}
        paired = [x for x in finished if x.comparison and x.is_paired]
        self.assertNotEmpty(paired)
        for entry in paired:
            points = full_precision.from_curves(
                entry.sweep, sweeps[entry.job.full.folder]
            )
            for one, other in zip(
                [entry.comparison.trained, *entry.comparison.matches],
                [points.trained, *points.matches],
                strict=True,
            ):
                self.assertEqual(
                    (one.way, one.epochs, one.outside, one.crossings),
                    (other.way, other.epochs, other.outside, other.crossings),
                )
                for score, leak in other.leak.items():
                    with self.subTest(f"{entry.job.folder} {one.way} {score}"):
                        sure, wide = one.leak[score].difference, leak.difference
                        self.assertAlmostEqual(sure.value, wide.value)
                        self.assertLess(wide.low, sure.low)
                        self.assertGreater(wide.high, sure.high)

    def test_numbers_in_words_are_the_tables(self):
        words = "".join(
            page_parts.PART.sub("", page.read_text()) for page in IN_WORDS
        )
        words += README.read_text().split(FOUND)[1].split("\n## ")[0]
        lines = NUMBERS.read_text().strip().splitlines()
        claims = [re.split(r"\s*\|\s*", line) for line in lines]
        numbers = set(re.findall(r"\d+\.\d+", words)) - {CHANCE}
        claimed = {x[0] for x in claims}
        self.assertContainsSubset(claimed, numbers)
        # Of runs that are no part of the paper's tables.
        sections = PAGES[1].read_text()
        other = "".join(
            sections.split(f"\n## {heading}\n")[1].split("\n## ")[0]
            for heading in OTHER_RUNS
        )
        self.assertContainsSubset(
            numbers - claimed, set(re.findall(r"\d+\.\d+", other))
        )
        for number, table, *cells, column in claims:
            path = self.results / "tables" / f"{table}.csv"
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            named = [x for x in rows if set(cells) <= set(x.values())]
            with self.subTest(f"{number}, {table}, {cells}, {column}"):
                self.assertLen(named, 1)
                cell = abs(float(named[0][column]))
                places = len(number.partition(".")[2])
                # As it is, or in per cent.
                shown = {f"{times * cell:.{places}f}" for times in (1, 100)}
                self.assertIn(number, shown)


if __name__ == "__main__":
    tf.test.main()
