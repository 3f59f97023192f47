// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/faults.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "strata/base/error.hpp"

namespace strata::cuda {
namespace {

struct Sentence {
  std::string_view op, form;  // of position, value and limit
};

// As the other backends say it.
constexpr std::array<Sentence, kFaultPlaces> kSentences{{
    {"gather_rows", "index[{}] = {} is outside the table of {} rows"},
    {"scatter_add_rows", "index[{}] = {} is outside the table of {} rows"},
    {"add_rows", "index[{}] = {} is outside the table of {} rows"},
    {"patch_unfold", "kept[{}] = {} is outside the {} patches of the volume"},
    {"cross_entropy", "row {} has target {}, but there are {} classes"},
    {"sigmoid_cross_entropy", "row {} has target {}, but there are {} columns"},
}};

}  // namespace

void check_faults(const Faults& faults) {
  for (std::size_t i = 0; i < kSentences.size(); ++i) {
    const auto first = faults.first[i];
    if (first == ~0ull) continue;
    const auto position = static_cast<std::int64_t>(first >> 32);
    const auto value = static_cast<std::int32_t>(static_cast<std::uint32_t>(first));
    fail(ErrorKind::data, kSentences[i].op,
         fmt::format(fmt::runtime(kSentences[i].form), position, value, faults.limit[i]),
         "the device found it in work that was waited for here");
  }
}

}  // namespace strata::cuda
