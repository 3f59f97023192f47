// SPDX-License-Identifier: Apache-2.0
#include "strata/tensor/dtype.hpp"

#include <fmt/format.h>

#include <array>

#include "strata/base/error.hpp"

namespace strata {
namespace {

struct Row {
  std::string_view name;
  std::size_t size;
  bool floating;
};

constexpr std::array<Row, 7> kRows{{{"f32", 4, true},
                                    {"bf16", 2, true},
                                    {"f64", 8, true},
                                    {"i32", 4, false},
                                    {"i64", 8, false},
                                    {"u8", 1, false},
                                    {"i16", 2, false}}};

const Row& row(DType dtype) { return kRows.at(static_cast<std::size_t>(dtype)); }

}  // namespace

std::size_t size_of(DType dtype) { return row(dtype).size; }
std::string_view name_of(DType dtype) { return row(dtype).name; }
bool is_floating(DType dtype) { return row(dtype).floating; }

DType parse_dtype(std::string_view name) {
  std::array<std::string_view, kRows.size()> names;
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
    names[i] = kRows[i].name;
  }
  const auto nearest = nearest_name(name, names);
  fail(ErrorKind::usage, "dtype", fmt::format("unknown element type '{}'", name),
       nearest.empty() ? "use f32, bf16, f64, i32, i64, u8 or i16" : fmt::format("did you mean '{}'?", nearest));
}

}  // namespace strata
