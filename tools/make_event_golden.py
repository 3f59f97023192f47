#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What TensorBoard's own protocol buffers and record writer make of a few events, as golden bytes for io/metrics: tests/golden/data/events.json.

    pip install tensorboard "setuptools<81"
    tools/make_event_golden.py                    --out FILE to look before replacing
    tools/make_event_golden.py --read FOLDER      prints what TensorBoard's reader takes from the event files of a run: tags, steps, values, texts
"""

import argparse
import io
import json
from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

WALL_TIME = 1700000000.25


def scalar(tag, value):
    return summary_pb2.Summary.Value(tag=tag, simple_value=value)


def text(tag, markdown):
    shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)])
    tensor = tensor_pb2.TensorProto(dtype="DT_STRING", tensor_shape=shape, string_val=[markdown.encode()])
    plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="text")
    metadata = summary_pb2.SummaryMetadata(plugin_data=plugin, data_class=summary_pb2.DATA_CLASS_TENSOR)
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def event(step, *values, **fields):
    if values:
        fields["summary"] = summary_pb2.Summary(value=values)
    return event_pb2.Event(wall_time=WALL_TIME, step=step, **fields)


def events():
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    return {
        "version": event(0, file_version="brain.Event:2"),
        "start": event(301, session_log=start),
        "scalars": event(300, scalar("train/loss", 4.125), scalar("train/lr", 5e-4)),
        "extremes": event(2**40, scalar("a", float("inf")), scalar("b", -1e300), scalar("c", 1e-300), scalar("d", -0.0)),
        "text": event(0, text("start/config", "    name: run\n    x: ü\n")),
        "long": event(7, text("t", "x" * 300)),
    }


def record(message):
    stream = io.BytesIO()
    RecordWriter(stream).write(message.SerializeToString())
    return stream.getvalue().hex()


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    run.Reload()
    scalars = {tag: [[e.step, e.value] for e in run.Scalars(tag)] for tag in run.Tags()["scalars"]}
    texts = {tag: [[e.step, e.tensor_proto.string_val[0].decode()] for e in run.Tensors(tag)] for tag in run.Tags()["tensors"]}
    print(json.dumps({"scalars": scalars, "texts": texts}, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "tests/golden/data/events.json")
    parser.add_argument("--read", type=Path)
    arguments = parser.parse_args()
    if arguments.read:
        return read(arguments.read)
    golden = {"wall_time": WALL_TIME, "records": {name: record(message) for name, message in events().items()}}
    arguments.out.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
