"""The findings of an evaluation as a page of text."""


def page(evaluation: dict) -> str:
    """Writes the result of evaluation.evaluate in some twenty lines."""
    parts = (
        _about(evaluation),
        _accuracy(evaluation),
        _timings(evaluation),
        _memory(evaluation["memory"]),
    )
    return "\n\n".join("\n".join(lines) for lines in parts)


def _about(evaluation):
    model, data = evaluation["model"], evaluation["data"]
    machine = evaluation["device"]
    cpu = machine["cpu"] or "unknown processor"
    where = f"{machine['board']}, {cpu}" if machine["board"] else cpu
    litert = machine["versions"]["ai-edge-litert"]
    return [
        f"model    {model['file']}, {model['size_bytes'] / 1e6:.2f} MB, "
        f"sha256 {model['sha256'][:12]}",
        f"kernels  {model['kernel_set']} of LiteRT {litert}; output: "
        f"{model['outputs']}",
        f"data     {data['file']}: {data['dataset']} of run {data['run']}",
        f"device   {where}, {machine['machine']}, {machine['cores']} core(s), "
        f"Python {machine['python']}",
    ]


def _accuracy(evaluation):
    rows = [("", "right", "of", "%")]
    for side in ("members", "nonmembers"):
        right, total = evaluation["right"][side], evaluation["data"][side]
        share = f"{100 * right / total:.2f}"
        rows.append((side, f"{right:,}", f"{total:,}", share))
    return _aligned(rows)


def _timings(evaluation):
    rows = [
        ("threads", "one image: median ms", "p95 ms", "first ms", "images/s")
    ]
    for entry in evaluation["timings"]:
        latency = entry["latency_ms"]
        rows.append(
            (
                str(entry["threads"]),
                *(f"{latency[key]:.3f}" for key in ("median", "p95", "first")),
                f"{entry['images_per_second']:,.0f}",
            )
        )
    batch = evaluation["timings"][0]["batch"]
    return [*_aligned(rows), f"images/s in batches of {batch}"]


def _memory(memory):
    peak, before = memory["peak_bytes"], memory["before_model_bytes"]
    if peak is None:
        return ["peak memory: this system does not count it"]
    return [
        f"peak memory {peak / 1e6:.0f} MB; {before / 1e6:.0f} MB of it before "
        "the model was read: Python, NumPy, the data"
    ]


def _aligned(rows):
    """Aligns the first column left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
