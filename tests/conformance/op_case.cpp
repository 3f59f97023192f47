// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/op_case.hpp"

#include <algorithm>
#include <cmath>

namespace strata::conformance {
namespace {

std::vector<CaseMaker>& makers() {
  static std::vector<CaseMaker> list;  // filled by the registrars of the case files, before main
  return list;
}

template <class Change>
OpCase changed(const OpCase& from, Change change) {
  OpCase copy = from;
  change(copy);
  return copy;
}

}  // namespace

Input Input::of(DType type) const {
  Input copy = *this;
  copy.dtype = type;
  return copy;
}

Input Input::accumulation() const {
  Input copy = *this;
  copy.in_accumulation_type = true;
  return copy;
}

Input Input::as(View layout) const {
  Input copy = *this;
  copy.view = layout;
  return copy;
}

Input Input::constant() const {
  Input copy = *this;
  copy.differentiated = false;
  return copy;
}

DType Input::type(DType tested) const {
  const DType type = dtype.value_or(tested);
  return in_accumulation_type ? ops::accumulation_type(type) : type;
}

Input normal(Shape shape, double deviation, double mean) {
  return {.shape = shape, .value = [=](std::int64_t, double draw, double) { return mean + deviation * draw; }};
}

Input uniform(Shape shape, double low, double high) {
  return {.shape = shape, .value = [=](std::int64_t, double, double draw) { return low + (high - low) * draw; }};
}

Input values(Shape shape, std::vector<double> given) {
  return {.shape = shape, .value = [given = std::move(given)](std::int64_t i, double, double) {
            return given.at(static_cast<std::size_t>(i));
          }};
}

Input integers(DType type, Shape shape, std::vector<std::int64_t> given) {
  return values(shape, std::vector<double>(given.begin(), given.end())).of(type).constant();
}

Input integers_below(DType type, Shape shape, std::int64_t bound) {
  Input input{.shape = shape, .value = [=](std::int64_t, double, double draw) {
                return std::floor(draw * static_cast<double>(bound));
              }};
  return input.of(type).constant();
}

Input none() { return {.given = false, .differentiated = false}; }

Tolerance Tolerances::of(DType dtype) const { return dtype == DType::bf16 ? bf16 : dtype == DType::f64 ? f64 : f32; }

Tolerances Tolerances::times(double factor) const {
  const auto scaled = [=](Tolerance t) { return Tolerance{t.norm * factor, t.largest * factor}; };
  return {scaled(f32), scaled(bf16), scaled(f64)};
}

OpCase::OpCase(std::string text, std::function<AnyOp(DType)> maker, std::vector<Input> given)
    : label(std::move(text)), op(std::move(maker)), inputs(std::move(given)) {
  const AnyOp any = op(DType::f64);
  op_name = any.name;
  if (!any.gradient) without_gradient = "the op has no gradient rule";
}

bool OpCase::has_gradient() const {
  return without_gradient.empty() && std::ranges::any_of(inputs, &Input::wants_gradient);
}

OpCase OpCase::types(std::vector<DType> list) const {
  return changed(*this, [&](OpCase& c) { c.dtypes = std::move(list); });
}

OpCase OpCase::allow(Tolerances tolerances) const {
  return changed(*this, [&](OpCase& c) {
    c.tolerance = tolerances;
    c.gradient_tolerance = tolerances.times(4);
  });
}

OpCase OpCase::allow_gradient(Tolerances tolerances) const {
  return changed(*this, [&](OpCase& c) { c.gradient_tolerance = tolerances; });
}

OpCase OpCase::no_gradient(std::string reason) const {
  return changed(*this, [&](OpCase& c) { c.without_gradient = std::move(reason); });
}

OpCase OpCase::gradient_outputs(std::vector<int> list) const {
  return changed(*this, [&](OpCase& c) { c.passing = std::move(list); });
}

OpCase OpCase::prepare(std::function<void(Context&, std::vector<Tensor>&)> compute) const {
  return changed(*this, [&](OpCase& c) { c.fill = std::move(compute); });
}

OpCase OpCase::in_place(std::vector<int> list) const {
  return changed(*this, [&](OpCase& c) { c.aliases = std::move(list); });
}

OpCase OpCase::outputs_as(std::vector<View> list) const {
  return changed(*this, [&](OpCase& c) { c.output_views = std::move(list); });
}

OpCase OpCase::same_type_oracle() const {
  return changed(*this, [](OpCase& c) { c.oracle_in_f64 = false; });
}

OpCase OpCase::timed(double bytes, double flops) const {
  return changed(*this, [&](OpCase& c) {
    c.timed_bytes = bytes;
    c.timed_flops = flops;
  });
}

RegisterCases::RegisterCases(CaseMaker maker) { makers().push_back(maker); }

std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases;
  for (const auto maker : makers())
    for (auto& one : maker()) cases.push_back(std::move(one));
  std::ranges::stable_sort(cases, {}, &OpCase::op_name);
  return cases;
}

}  // namespace strata::conformance
