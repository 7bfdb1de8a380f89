"""A subject's renderer alone: milliseconds a picture, its arithmetic, and its share of a matrix product's rate."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from lsp_cam.backends.ort import OrtEngine
from lsp_cam.packets import FeatureMap
from lsp_cam.stages.render import MODEL, RenderConfig, RenderStage
from lsp_cam.store import Store
from lsp_cam.subject import Subject

MATRIX = 1536  # rows and columns: large enough that memory does not count


def multiplications(file: bytes) -> int:
    """Multiply-adds of the convolutions and matrix products that a network does for a picture."""
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(file)).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*graph.value_info, *graph.output)}
    shapes.update({c.name: list(c.dims) for c in graph.initializer})
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            weight = shapes[node.input[1]]
            total += int(np.prod(shapes[node.output[0]]) * np.prod(weight[1:]))
        elif node.op_type == "ConvTranspose":
            weight = shapes[node.input[1]]
            total += int(np.prod(shapes[node.input[0]]) * np.prod(weight[1:]))
        elif node.op_type == "MatMul":
            total += int(np.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1])
    return total


def median_ms(work: Callable[[], object], seconds: float) -> float:
    """Median milliseconds of a piece of work, repeated for some seconds after a warm-up."""
    for _ in range(3):
        work()
    times, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def matrix_product() -> bytes:
    """The file of one large product."""
    shape = (MATRIX, MATRIX)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("a", "b", "c")]
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return bytes(model.SerializeToString())


def measure(subject: Subject, threads: int, rounds: int, seconds: float) -> dict[str, float]:
    """Figures with so many threads; renderer and product take turns, so that both meet the same neighbours."""
    engine = OrtEngine(threads)
    stage = RenderStage.from_subject(subject, engine)
    side = subject.config("render", RenderConfig).size
    drawn = FeatureMap(0, (255 * (np.random.default_rng(0).uniform(size=(side, side)) > 0.97)).astype(np.uint8))
    product = engine.load(matrix_product(), "product")
    ones = np.ones((MATRIX, MATRIX), np.float32)
    pairs = [
        (
            median_ms(lambda: stage.render(drawn), seconds),
            median_ms(lambda: product.run({"a": ones, "b": ones}), seconds),
        )
        for _ in range(rounds)
    ]
    picture_ms, product_ms = (statistics.median(times) for times in zip(*pairs))
    work = multiplications(subject.read(MODEL))
    rate, best = work / picture_ms, MATRIX**3 / product_ms
    return {
        "threads": threads,
        "picture_ms": picture_ms,
        "gmac": work / 1e9,
        "gmac_per_s": rate / 1e6,
        "product_gmac_per_s": best / 1e6,
        "share": rate / best,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subject", default="demo", help="a name, or a bundle's folder")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each of the two, in each round")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    folder = Path(args.subject)
    subject = Subject.open(folder) if folder.is_dir() else Store().get(args.subject)
    rows = [measure(subject, threads, args.rounds, args.seconds) for threads in args.threads]
    if args.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(
            f"{row['threads']:.0f} threads: {row['picture_ms']:.1f} ms a picture, {row['gmac']:.2f} GMAC, "
            f"{row['gmac_per_s']:.0f} GMAC/s; matrix product {row['product_gmac_per_s']:.0f} GMAC/s: "
            f"{100 * row['share']:.0f} %"
        )


if __name__ == "__main__":
    main()
