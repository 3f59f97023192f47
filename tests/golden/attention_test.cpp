// SPDX-License-Identifier: Apache-2.0
// Attention, its log-sum-exp and its gradients against PyTorch in double precision, on every backend.
#include <gtest/gtest.h>

#include <cmath>

#include "io/safetensors/safetensors.hpp"
#include "strata/ops/attention.hpp"
#include "strata/ops/copy.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/fixtures/golden_data.hpp"
#include "tests/fixtures/golden_file.hpp"

namespace strata {
namespace {

struct Golden {
  Context& ctx;
  const io::SafetensorsFile& file;
  std::string name;
  DType dtype;

  Tensor expected(const std::string& what) const { return file.load(name + what); }
  Tensor rows(const std::string& what) const {  // [tokens, heads, head width] -> [tokens, C]
    const Tensor x = ops::cast(ctx, ctx.upload(expected(what)), dtype);
    return x.reshape({x.dim(0), -1});
  }
  Tensor offsets(const std::string& what) const { return ops::cast(ctx, ctx.upload(expected(what)), DType::i32); }
};

void check(const Golden& golden, double tolerance) {
  Context& ctx = golden.ctx;
  const auto head_width = golden.expected(".in.q").dim(2);
  const ops::Attention op{head_width, 1 / std::sqrt(static_cast<double>(head_width)), 16, 16};
  const std::vector<Tensor> in{golden.rows(".in.q"), golden.rows(".in.k"), golden.rows(".in.v"),
                               golden.offsets(".in.offsets_q"), golden.offsets(".in.offsets_k")};
  const auto out = ops::run(ctx, op, in);
  EXPECT_LT(fixtures::relative_error(ctx, out[0], golden.expected(".out")), tolerance);
  EXPECT_LT(fixtures::relative_error(ctx, out[1], golden.expected(".lse")), tolerance);

  const auto specs = ops::detail::specs_of(in);
  const std::vector<Tensor> cotangents{golden.rows(".in.cotangent"), Tensor()};
  const auto grads = op.gradient({ctx, specs, in, out, cotangents, 7});
  EXPECT_LT(fixtures::relative_error(ctx, grads[0], golden.expected(".grad.q")), tolerance);
  EXPECT_LT(fixtures::relative_error(ctx, grads[1], golden.expected(".grad.k")), tolerance);
  EXPECT_LT(fixtures::relative_error(ctx, grads[2], golden.expected(".grad.v")), tolerance);
}

TEST(AttentionGolden, EqualsPyTorch) {
  const io::SafetensorsFile file = fixtures::golden_data("torch_ops");
  for (auto& backend : conformance::make_backends())
    for (const char* name : {"attention", "attention_segments"}) {
      SCOPED_TRACE(backend.name + ": " + name);
      Context ctx = backend.context();
      check({ctx, file, name, DType::f64}, 1e-13);
      check({ctx, file, name, DType::f32}, 2e-6);
    }
}

}  // namespace
}  // namespace strata
