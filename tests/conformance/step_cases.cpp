// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/step.hpp"

#include <cmath>

#include "tests/conformance/op_case.hpp"

namespace strata::conformance {
namespace {

using namespace ops;  // the seven step ops

constexpr double kMega = 1 << 20;
const std::vector<DType> kMasters{DType::f32, DType::f64};

Input f64_values(Shape shape, std::vector<double> given) {
  return values(shape, std::move(given)).of(DType::f64).constant();
}

// One tensor: p, g and `moments` moments, of which a second one is never negative.
std::vector<Input> tensor(const Shape& shape, int moments, View view = View::dense) {
  std::vector<Input> inputs{normal(shape).as(view), normal(shape).as(view)};
  if (moments > 0) inputs.push_back(normal(shape, 0.5).as(view));
  if (moments > 1) inputs.push_back(uniform(shape, 0.01, 2).as(view));
  return inputs;
}

std::vector<Input> join(std::vector<Input> head, std::initializer_list<std::vector<Input>> tensors) {
  for (const auto& one : tensors) head.insert(head.end(), one.begin(), one.end());
  return head;
}

// Odd sizes, a scalar, nothing at all, a view that is not aligned, and one that is cut into several pieces.
std::vector<Input> many(std::vector<Input> head, int moments) {
  return join(std::move(head), {tensor({3, 4}, moments), tensor({}, moments), tensor({0, 5}, moments),
                                tensor({1031}, moments, View::misaligned), tensor({7, 5003}, moments)});
}
const std::vector<std::int32_t> kManyGroups{0, 1, 0, 1, 0};

// More small tensors than a backend may take at once, some of them of nothing.
std::vector<Input> crowd(std::vector<Input> head, int count, int moments) {
  for (int i = 0; i < count; ++i) head = join(std::move(head), {tensor({i % 7 == 3 ? 0 : 1 + i * 37 % 30}, moments)});
  return head;
}
std::vector<std::int32_t> crowd_groups(int count) {
  std::vector<std::int32_t> groups;
  for (int i = 0; i < count; ++i) groups.push_back(i % 2);
  return groups;
}

std::vector<Input> adam_head(double factor = 0.5) {
  return {f64_values({2, 7}, {1e-2, 0.9, 0.95, 1e-6, 0.2, 0.271, 0.1426, 3e-3, 0.8, 0.999, 1e-8, 0, 0.36, 0.002}),
          f64_values({1}, {factor})};
}

std::vector<Input> lamb_head(double factor = 0.5) {
  return {
      f64_values({2, 8}, {1e-2, 0.9, 0.95, 1e-6, 0.05, 0.271, 0.1426, 1, 3e-3, 0.8, 0.999, 1e-8, 0, 0.36, 0.002, 0}),
      f64_values({1}, {factor})};
}

std::vector<Input> sgd_head(double momentum, double dampening, double first) {
  return {f64_values({2, 5}, {1e-2, momentum, dampening, 0.1, first, 3e-3, momentum, dampening, 0, first}),
          f64_values({1}, {0.5})};
}

std::vector<Input> lion_head() {
  return {f64_values({2, 4}, {1e-3, 0.9, 0.99, 0.2, 3e-3, 0.95, 0.98, 0}), f64_values({1}, {0.5})};
}

// A master in the type under test with a gradient and a copy in bf16, and another without copy.
template <class Op>
std::function<AnyOp(DType)> with_copies(Op op) {
  return [op](DType tested) {
    Op one = op;
    one.compute_copy = {DType::bf16, tested};
    return AnyOp::from(one);
  };
}

std::vector<Input> half(std::vector<Input> head, int moments) {
  auto inputs = join(std::move(head), {tensor({33, 65}, moments), tensor({2049}, moments)});
  inputs[3] = inputs[3].of(DType::bf16);
  return inputs;
}

std::vector<OpCase> adam_cases() {
  const auto nothing = adam_head(0);
  return {
      OpCase("many tensors", AdamWStep{kManyGroups}, many(adam_head(), 2)).types(kMasters),
      OpCase("60 tensors", AdamWStep{crowd_groups(60)}, crowd(adam_head(), 60, 2)).types(kMasters),
      OpCase("decay in the gradient", AdamWStep{kManyGroups, false}, many(adam_head(), 2)).types(kMasters),
      OpCase("in place", AdamWStep{{1}}, join(adam_head(), {tensor({20011}, 2)})).types(kMasters).in_place({2, 4, 5}),
      OpCase("bf16 gradient and copy", with_copies(AdamWStep{{0, 1}}), half(adam_head(), 2)).types(kMasters),
      OpCase("factor 0", with_copies(AdamWStep{{0, 1}}), half(nothing, 2)).types(kMasters),
      OpCase("no tensors", AdamWStep{}, adam_head()).types(kMasters),
      OpCase("timing", AdamWStep{{0}}, join(adam_head(), {tensor({4096, 2048}, 2)}))
          .types({DType::f32})
          .in_place({2, 4, 5})
          .timed(7 * 4 * 8 * kMega, 15 * 8 * kMega),
      OpCase("many tensors", LambStep{kManyGroups}, many(lamb_head(), 2)).types(kMasters),
      OpCase("60 tensors", LambStep{crowd_groups(60)}, crowd(lamb_head(), 60, 2)).types(kMasters),
      OpCase("in place", LambStep{{0}}, join(lamb_head(), {tensor({20011}, 2)})).types(kMasters).in_place({2, 4, 5}),
      OpCase("bf16 gradient and copy", with_copies(LambStep{{0, 1}}), half(lamb_head(), 2)).types(kMasters),
      OpCase("factor 0", with_copies(LambStep{{0, 1}}), half(lamb_head(0), 2)).types(kMasters),
      OpCase("parameter of zeros", LambStep{{0}},
             join(lamb_head(), {{values({5}, {0, 0, 0, 0, 0}), normal({5}), normal({5}), uniform({5}, 0.1, 1)}}))
          .types(kMasters),
      OpCase("timing", LambStep{{0}}, join(lamb_head(), {tensor({4096, 2048}, 2)}))
          .types({DType::f32})
          .in_place({2, 4, 5})
          .timed(11 * 4 * 8 * kMega, 30 * 8 * kMega),
  };
}

std::vector<OpCase> momentum_cases() {
  auto plain = join(sgd_head(0, 0, 0), {tensor({3, 4}, 0), {none()}, tensor({20011}, 0), {none()}});
  return {
      OpCase("momentum", SgdStep{kManyGroups}, many(sgd_head(0.9, 0.1, 0), 1)).types(kMasters),
      OpCase("Nesterov", SgdStep{kManyGroups, true}, many(sgd_head(0.9, 0, 0), 1)).types(kMasters),
      OpCase("first step", SgdStep{kManyGroups}, many(sgd_head(0.9, 0.1, 1), 1)).types(kMasters),
      OpCase("without momentum", SgdStep{{0, 1}}, std::move(plain)).types(kMasters),
      OpCase("in place", SgdStep{{1}}, join(sgd_head(0.9, 0, 0), {tensor({20011}, 1)}))
          .types(kMasters)
          .in_place({2, 4}),
      OpCase("bf16 gradient and copy", with_copies(SgdStep{{0, 1}}), half(sgd_head(0.9, 0, 0), 1)).types(kMasters),
      OpCase("many tensors", LionStep{kManyGroups}, many(lion_head(), 1)).types(kMasters),
      OpCase("in place", LionStep{{1}}, join(lion_head(), {tensor({20011}, 1)})).types(kMasters).in_place({2, 4}),
      OpCase("bf16 gradient and copy", with_copies(LionStep{{0, 1}}), half(lion_head(), 1)).types(kMasters),
      OpCase("gradient and momentum 0", LionStep{{0}},
             join(lion_head(), {{normal({3}), values({3}, {0, 0, 0}), values({3}, {0, 0, 0})}}))
          .types(kMasters),
  };
}

std::vector<OpCase> norm_cases() {
  return {
      OpCase("many tensors", SquaredNorms{},
             {normal({3, 4}), normal({}), normal({0, 5}), normal({1031}).as(View::misaligned), normal({7, 5003})})
          .allow({{1e-12, 1e-12}, {1e-12, 1e-12}, {1e-12, 1e-12}}),
      OpCase("150 tensors", SquaredNorms{}, crowd({}, 75, 0)).allow({{1e-12, 1e-12}, {1e-12, 1e-12}, {1e-12, 1e-12}}),
      OpCase("no tensors", SquaredNorms{}, {}).types({DType::f64}),
      OpCase("not finite", SquaredNorms{}, {values({3}, {1, NAN, 2}), values({2}, {INFINITY, 1}), values({2}, {3, 4})}),
      OpCase("timing", SquaredNorms{}, {normal({4096, 2048})}).types({DType::f32}).timed(4 * 8 * kMega, 2 * 8 * kMega),
      OpCase("clips", ClipFactor{1}, {f64_values({3}, {4, 5, 7}), f64_values({1}, {0.5})}).types({DType::f64}),
      OpCase("below the limit", ClipFactor{3}, {f64_values({3}, {4, 5, 7}), f64_values({1}, {0.5})})
          .types({DType::f64}),
      OpCase("no limit", ClipFactor{0}, {f64_values({1}, {4e8}), f64_values({1}, {0.25})}).types({DType::f64}),
      OpCase("not finite", ClipFactor{1}, {f64_values({2}, {NAN, 5}), f64_values({1}, {1})}).types({DType::f64}),
      OpCase("average", EmaStep{},
             {f64_values({1}, {0.99}), normal({3, 4}), normal({3, 4}), normal({}), normal({}), normal({0}), normal({0}),
              normal({20011}), normal({20011})})
          .types(kMasters),
      OpCase("100 tensors", EmaStep{}, crowd({f64_values({1}, {0.99})}, 100, 0)).types(kMasters),
      OpCase("in place", EmaStep{}, {f64_values({1}, {0.99}), normal({20011}), normal({20011})})
          .types(kMasters)
          .in_place({1}),
  };
}

const RegisterCases adam(adam_cases);
const RegisterCases momentum(momentum_cases);
const RegisterCases norms(norm_cases);

}  // namespace
}  // namespace strata::conformance
