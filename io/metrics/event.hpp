// SPDX-License-Identifier: Apache-2.0
//
// The few protocol buffer messages of which TensorBoard's event files consist, as bytes
// (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto and tensor.proto), and the TFRecord frame
// around each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::io {

// Values of one Summary, in the order they are added.
class SummaryBytes {
 public:
  void add_scalar(std::string_view tag, double value);  // simple_value, f32
  // A string tensor of the text plugin; TensorBoard reads it as Markdown.
  void add_text(std::string_view tag, std::string_view markdown);

  bool empty() const { return bytes_.empty(); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Events; wall_time in seconds since 1970.
std::string version_event(double wall_time);                           // the first of a file
std::string session_start_event(double wall_time, std::int64_t step);  // forget steps from here on
std::string summary_event(double wall_time, std::int64_t step, const SummaryBytes& summary);

// Length (u64), its masked CRC, the data, its masked CRC; little endian.
std::string tf_record(std::string_view data);

}  // namespace strata::io
