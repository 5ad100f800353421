"""What the integer files cost to run, beside their peers.

    python benchmarks/deployment.py
    python benchmarks/deployment.py --stems=imagenet --turns=15

Makes ResNet-18s (width 64, 32x32x3, random weights) and runs their files in
one process under LiteRT's default kernels, one thread, one image a call, a
few calls of each in turn:

    int8, int8_io   w4a4, this project's integer files
    float32         the same w4a4 network in float kernels
    full precision  the float network as a float32 file
    tfmot_int8      that float network through tensorflow-model-optimization

Then it queries 60,000 images through TFLiteTarget and through the bare
interpreter, 2 threads, in turns of 5,000, and measures the peak memory of a
process that only queries. Prints ratios of the best and the median of pairs.
Takes about ten minutes on two cores.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import program

STEMS = flags.DEFINE_list("stems", ["imagenet", "cifar"], "which stems")
TURNS = flags.DEFINE_integer("turns", 15, "turns of each file")
WIDTH = flags.DEFINE_integer("width", 64, "channels of the first stage")
IMAGES = flags.DEFINE_integer("images", 60_000, "images to query")
JSON = flags.DEFINE_string("json", None, "also write the figures here")
QUERY = flags.DEFINE_string("query", None, "only query this file (inner use)")

SHAPE = (32, 32, 3)
SLICE = 5_000
BATCH = 100
PEERS = ("float32", "full precision", "tfmot_int8")


def main(argv):
    """Measures each stem and prints the tables."""
    del argv
    if QUERY.value:
        return print(json.dumps(peak_memory(QUERY.value)))
    quiet.start_tensorflow()
    figures = {stem: measure(stem) for stem in STEMS.value}
    for stem, stem_figures in figures.items():
        show(stem, stem_figures)
    if JSON.value:
        pathlib.Path(JSON.value).write_text(json.dumps(figures, indent=2))


def measure(stem):
    """Returns the figures of one stem, as plain data."""
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(stem, pathlib.Path(folder))
        times = latencies(files)
        figures = {
            "mb": {name: f.stat().st_size / 1e6 for name, f in files.items()},
            "best_ms": {name: min(turns) for name, turns in times.items()},
            "int8_is_faster_than": {
                peer: ratios(times[peer], times["int8"]) for peer in PEERS
            },
            "query": throughput(files["int8"]),
            "query_alone": query_alone(files["int8"]),
        }
    return figures


def make_files(stem, folder):
    """Writes the five files; returns dict name -> path."""
    from qmia_tf.deploy.integer import int8_file, integer_network
    from qmia_tf.deploy.tflite import post_training
    from qmia_tf.deploy.tfmot import baseline
    from qmia_tf.models import keras_files
    from qmia_tf.models.resnet import resnet18

    shape = {"stem": stem, "width": WIDTH.value}
    four = {"weight_bits": 4, "activation_bits": 4}
    print(f"{stem}: making the files", flush=True)
    floats = resnet18(SHAPE, 10, **shape)
    w4a4 = resnet18(SHAPE, 10, **shape, **four)
    twin = integer_network.fold(w4a4)
    images = random_images(100)
    head = integer_network.fold(
        w4a4,
        head="integer",
        logits_range=integer_network.calibrate(twin, images),
    )
    content = {
        "int8": int8_file.to_tflite(twin),
        "int8_io": int8_file.to_tflite(head),
    }
    members = images, np.zeros(len(images), np.int64)
    content["tfmot_int8"] = baseline.to_tflite(
        floats, members, folder=folder / "tfmot", epochs=0
    )
    for model in (w4a4, floats):
        keras_files.freeze(model)
    content["float32"] = post_training.to_float32(w4a4)
    content["full precision"] = post_training.to_float32(floats)
    files = {}
    for name, data in content.items():
        files[name] = folder / f"{name.replace(' ', '_')}.tflite"
        files[name].write_bytes(data)
    return files


def random_images(count):
    """Returns uint8 images [count, 32, 32, 3]."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, *SHAPE), np.uint8)


def latencies(files):
    """Times one-image calls in turn; returns dict name -> ms of each turn."""
    from qmia_tf.deploy.tflite.interpreter import Interpreter

    running = {}
    for name, path in files.items():
        interpreter = Interpreter(path, num_threads=1)
        image = np.zeros((1, *SHAPE), interpreter.input.dtype)
        running[name] = (interpreter, image)
        for _ in range(5):
            interpreter.run(image)
    times = {name: [] for name in files}
    for _ in range(TURNS.value):
        for name, (interpreter, image) in running.items():
            start = time.perf_counter()
            calls = 0
            while time.perf_counter() - start < 0.2:
                interpreter.run(image)
                calls += 1
            spent = time.perf_counter() - start
            times[name].append(spent / calls * 1e3)
    return times


def ratios(slow, fast):
    """Best over best, and the median of the pairs."""
    pairs = np.array(slow) / np.array(fast)
    return {"best": min(slow) / min(fast), "median": float(np.median(pairs))}


def throughput(path):
    """TFLiteTarget against the bare interpreter, in turns, 2 threads."""
    from qmia_tf.targets.tflite_target import TFLiteTarget

    images = random_images(SLICE)
    target = TFLiteTarget(path, num_threads=2)
    bare = bare_interpreter(path, images)
    target.predict(images[:BATCH])
    bare(images[:BATCH])
    spent = {"target": [], "bare": []}
    for _ in range(max(1, IMAGES.value // SLICE)):
        for name, ask in (("target", target.predict), ("bare", bare)):
            start = time.perf_counter()
            ask(images)
            spent[name].append(time.perf_counter() - start)
    share = ratios(spent["bare"], spent["target"])
    total = IMAGES.value / sum(spent["target"])
    return {"share_of_bare": share, "images_per_second": total}


def bare_interpreter(path, images):
    """LiteRT with nothing around it, as fast as it can be asked."""
    from ai_edge_litert.interpreter import Interpreter

    lite = Interpreter(model_path=str(path), num_threads=2)
    index = lite.get_input_details()[0]["index"]
    output = lite.get_output_details()[0]["index"]
    lite.resize_tensor_input(index, (BATCH, *SHAPE))
    lite.allocate_tensors()

    def ask(images):
        for start in range(0, len(images), BATCH):
            lite.set_tensor(index, images[start : start + BATCH])
            lite.invoke()
            lite.get_tensor(output)

    return ask


def query_alone(path):
    """Runs this script as a process that only queries."""
    command = [sys.executable, __file__, f"--query={path}"]
    command.append(f"--images={IMAGES.value}")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def peak_memory(path):
    """Queries all images at once; returns MB and images a second."""
    from qmia_tf.edge import device
    from qmia_tf.targets.tflite_target import TFLiteTarget

    images = random_images(IMAGES.value)
    target = TFLiteTarget(path, num_threads=2)
    start = time.perf_counter()
    target.predict(images)
    spent = time.perf_counter() - start
    return {
        "peak_mb": device.peak_memory() / 1e6,
        "images_per_second": len(images) / spent,
    }


def show(stem, figures):
    """Prints one stem's figures."""
    print(f"\n{stem} stem, width {WIDTH.value}")
    print(f"{'file':16}{'MB':>8}{'ms':>9}{'x int8 time':>13}{'median':>9}")
    for name, best in figures["best_ms"].items():
        ratio = figures["int8_is_faster_than"].get(name)
        ratio_text = (
            f"{ratio['best']:13.2f}{ratio['median']:9.2f}" if ratio else ""
        )
        print(f"{name:16}{figures['mb'][name]:8.2f}{best:9.3f}{ratio_text}")
    query, alone = figures["query"], figures["query_alone"]
    share = query["share_of_bare"]
    print(
        f"TFLiteTarget, 2 threads, {IMAGES.value} images: "
        f"{query['images_per_second']:.0f} images/s, "
        f"{100 * share['best']:.1f} % of the bare interpreter's speed "
        f"(median of the pairs {100 * share['median']:.1f} %); "
        f"peak memory of a querying process {alone['peak_mb']:.0f} MB"
    )


if __name__ == "__main__":
    program.run(sys.modules[__name__])
