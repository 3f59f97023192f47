// SPDX-License-Identifier: Apache-2.0
//
// Values and gradients of ops against PyTorch (tests/golden/README.md): in f64 on the reference backend, in f32 on all
// others.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "strata/ops/cross_entropy.hpp"
#include "strata/ops/gather.hpp"
#include "strata/ops/gelu.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/layer_norm.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/patches.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/ops/softmax.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/conformance/drawn.hpp"
#include "tests/fixtures/golden_data.hpp"

namespace strata::ops {
namespace {

// One case of the file, on one backend.
class Golden {
 public:
  Golden(const io::SafetensorsFile& file, std::string name, Context& on, DType type)
      : ctx(on), dtype(type), file_(file), name_(std::move(name)) {}

  // Floating values in the type under test, whole numbers as they are.
  Tensor load(const std::string& what) const {
    const auto& entry = file_.entry(name_ + "." + what);
    return ctx.upload(entry.dtype == DType::i64 ? file_.load(entry) : file_.load_as(entry, dtype));
  }
  Tensor input(const std::string& what) const { return load("in." + what); }
  Tensor cotangent() const { return input("cotangent"); }

  void expect(const std::string& what, const Tensor& got) const {
    const auto a = conformance::read(ctx, got), b = conformance::read(ctx, load(what));
    ASSERT_EQ(a.size(), b.size()) << name_ << " " << what;
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      norm += b[i] * b[i];
    }
    EXPECT_LE(std::sqrt(difference), (dtype == DType::f64 ? 1e-12 : 5e-6) * std::sqrt(norm)) << name_ << " " << what;
  }

  Context& ctx;
  DType dtype;

 private:
  const io::SafetensorsFile& file_;
  std::string name_;
};

// Gradients of all floating inputs, with everything saved.
template <class Op>
std::vector<Tensor> differentiate(Context& ctx, const Op& op, const std::vector<Tensor>& inputs,
                                  const std::vector<Tensor>& outputs, const Tensor& cotangent) {
  std::vector<Tensor> grads(outputs.size());
  grads[0] = cotangent.reshape(outputs[0].shape());
  const auto specs = detail::specs_of(inputs);
  std::uint32_t needs = 0;
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (is_floating(specs[i].dtype)) needs |= 1u << i;
  return op.gradient({ctx, specs, inputs, outputs, grads, needs});
}

template <class Op>
void check(const Golden& golden, const Op& op, const std::vector<std::string>& names) {
  std::vector<Tensor> inputs;
  for (const auto& name : names) inputs.push_back(golden.input(name));
  const auto outputs = run(golden.ctx, op, inputs);
  golden.expect("out", outputs[0]);
  const auto grads = differentiate(golden.ctx, op, inputs, outputs, golden.cotangent());
  for (std::size_t i = 0; i < names.size(); ++i)
    if (is_floating(inputs[i].dtype())) golden.expect("grad." + names[i], grads[i]);
}

void check_patch_embedding(const Golden& golden) {
  const Tensor x = golden.input("x"), weight = golden.input("weight"), bias = golden.input("bias");
  const PatchUnfold unfold{.geometry = {{2, 4, 4}}, .to = golden.dtype};
  const std::vector<Tensor> volume{x, Tensor()};
  const auto rows = run(golden.ctx, unfold, volume);
  const std::vector<Tensor> inputs{rows[0], weight.reshape({12, 32}), bias};
  const auto outputs = run(golden.ctx, Linear{}, inputs);
  golden.expect("out", outputs[0]);
  const auto grads = differentiate(golden.ctx, Linear{}, inputs, outputs, golden.cotangent());
  golden.expect("grad.weight", grads[1]);
  golden.expect("grad.bias", grads[2]);
  golden.expect("grad.x", differentiate(golden.ctx, unfold, {x}, rows, grads[0])[0]);
}

void check_cross_entropy(const Golden& golden) {
  const std::vector<Tensor> inputs{golden.input("logits"), golden.input("target")};
  const auto outputs = run(golden.ctx, CrossEntropy{}, inputs);
  golden.expect("out", run1(golden.ctx, Reduce{Reduction::mean, 0}, {outputs[0]}));
  const Tensor each =
      run1(golden.ctx, Expand{.shape = {6}, .axis = 0, .alpha = 1.0 / 6}, {golden.cotangent().reshape(Shape{})});
  golden.expect("grad.logits", differentiate(golden.ctx, CrossEntropy{}, inputs, outputs, each)[0]);
}

// On every backend of this build.
template <class Check>
void everywhere(const std::string& name, Check check_one) {
  const auto file = fixtures::golden_data("torch_ops");
  const auto backends = conformance::make_backends();
  for (const auto& backend : backends) {
    SCOPED_TRACE(backend.name);
    Context ctx = backend.context();
    check_one(Golden(file, name, ctx, &backend == &backends.front() ? DType::f64 : DType::f32));
  }
}

TEST(TorchOps, Gelu) {
  everywhere("gelu", [](const Golden& g) { check(g, Gelu{}, {"x"}); });
}
TEST(TorchOps, Softmax) {
  everywhere("softmax", [](const Golden& g) { check(g, Softmax{}, {"x"}); });
}
TEST(TorchOps, L2Normalize) {
  everywhere("l2_normalize", [](const Golden& g) { check(g, L2Normalize{}, {"x"}); });
}
TEST(TorchOps, LayerNorm) {
  everywhere("layer_norm", [](const Golden& g) { check(g, LayerNorm{1e-6}, {"x", "weight", "bias"}); });
}
TEST(TorchOps, Linear) {
  everywhere("linear", [](const Golden& g) { check(g, Linear{}, {"x", "weight", "bias"}); });
}
TEST(TorchOps, Embedding) {
  everywhere("embedding", [](const Golden& g) { check(g, GatherRows{}, {"table", "index"}); });
}
TEST(TorchOps, PatchEmbedding) { everywhere("patch_embed", check_patch_embedding); }
TEST(TorchOps, CrossEntropy) { everywhere("cross_entropy", check_cross_entropy); }

}  // namespace
}  // namespace strata::ops
