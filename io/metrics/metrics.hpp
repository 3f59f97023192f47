// SPDX-License-Identifier: Apache-2.0
//
// A run's numbers on disk: lines of JSON, which scripts and `strata plot` read, and event files, which TensorBoard
// shows. What for: a value now and then, a record a step at most; each costs one write of a few hundred bytes. When
// not: tensors, pictures, more than about 10 000 records a second.
//
// A resumed run goes on in the same folder. What was recorded of steps that are trained again is superseded by one
// rule, which both formats follow: a record of kind "start" at step k voids what stands before it of steps beyond k,
// and of two records of one kind and step the later counts. Nothing is ever deleted for it: the lines stay in the file.
//
// Opening fails with an environment error. Writing does not: the first failure (a full disk) is logged as a warning,
// each record is tried anew, and what could not be written whole is taken back.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "strata/io/metric_sink.hpp"

namespace strata::io {

inline constexpr std::string_view kMetricsFile = "metrics.jsonl";  // in a run's folder

// Appends to `path`, one object a line, in one write:
//   {"kind":"train","step":10,"seconds":2.5,"loss":4.1,"lr":0.0005}
//   {"kind":"start","step":0,"seconds":0,"texts":{"config":"name: run\n"}}
// Values stand flat under their names, without the kind where they begin with it ("eval/auroc" of an "eval" record is
// "auroc"); one called as a field of the line is ("kind", "step", "seconds", "texts") keeps or gets it. Numbers are
// the shortest text that reads back as the same double; JSON has no others, so "NaN", "Infinity" and "-Infinity" are
// strings. A last line that a killed run left unfinished is cut off when the file is opened. flush() waits for the
// disk.
std::unique_ptr<MetricSink> json_lines_sink(const std::string& path);

// A new file "events.out.tfevents.<time>.<host>.<process>" in `folder`, which must exist. Every value is a scalar under
// metric_name(). Of a "start" record at step k the texts are pages of TensorBoard's text tab, and it is the session
// mark at which TensorBoard forgets steps beyond k; its values, and texts of other records, are left to the lines.
// Encoding: TFRecord frames (lengths and data with masked CRC-32C) around the protocol buffer message Event of
// tensorflow/core/util/event.proto; values are f32 there.
std::unique_ptr<MetricSink> event_file_sink(const std::string& folder);

// "train/loss": how a value is called where kinds meet. A name that begins with its kind is that already.
std::string metric_name(std::string_view kind, std::string_view name);

// What counts of a file of lines (the rule above), in the order of the file; values are named as in the file. A torn
// last line is passed over. No such file, or another line that is no record: [metrics] data error with its number.
std::vector<MetricRecord> read_metrics(const std::string& path);

}  // namespace strata::io
