// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/dropout.hpp"

#include "backends/reference/offsets.hpp"
#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

// Where the numbers of segment i stand in the stream. keys: [n, 2] = (sample ordinal, part).
RandomCounter counter_of(const std::vector<std::int64_t>& keys, std::size_t i, std::uint32_t layer) {
  return {.ordinal = static_cast<std::uint64_t>(keys[2 * i]),
          .layer = layer,
          .part = static_cast<std::uint32_t>(keys[2 * i + 1])};
}

double factor_of(std::uint32_t word, double rate) {
  return uniform_float(word) >= static_cast<float>(rate) ? 1 / (1 - rate) : 0;
}

void dropout(const ops::Dropout& op, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  const auto keys = load_integers(in[1]), offsets = load_offsets(op.kName, in[2], in[0].dim(0));
  const std::int64_t width = in[0].dim(1);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto counter = counter_of(keys, i, op.layer);
    for (std::int64_t element = 0; element < (offsets[i + 1] - offsets[i]) * width; ++element)
      x[at(offsets[i] * width + element)] *=
          factor_of(random_word(op.key, counter, static_cast<std::uint64_t>(element)), op.rate);
  }
  store(out[0], x);
}

void drop_path_factors(const ops::DropPathFactors& op, Inputs in, Outputs out, Context&) {
  const auto keys = load_integers(in[0]);
  Values factors;
  for (std::size_t i = 0; i < keys.size() / 2; ++i)
    factors.push_back(factor_of(random_word(op.key, counter_of(keys, i, op.layer), 0), op.rate));
  store(out[0], factors);
}

void scale_segments(const ops::ScaleSegments& op, Inputs in, Outputs out, Context&) {
  Values x = load(in[0]);
  const Values factor = load(in[1]);
  const auto offsets = load_offsets(op.kName, in[2], in[0].dim(0));
  const std::int64_t width = in[0].dim(1);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    for (auto element = offsets[i] * width; element < offsets[i + 1] * width; ++element) x[at(element)] *= factor[i];
  store(out[0], x);
}

bool keys_of_anything(const ops::DropPathFactors&, Specs) { return true; }

}  // namespace

void register_dropout(KernelTable& table) {
  table.add<ops::Dropout>("reference", dropout, first_floating);
  table.add<ops::DropPathFactors>("reference", drop_path_factors, keys_of_anything);
  table.add<ops::ScaleSegments>("reference", scale_segments, first_floating);
}

}  // namespace strata::reference
