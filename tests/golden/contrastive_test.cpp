// SPDX-License-Identifier: Apache-2.0
//
// The contrastive losses against open_clip's (tests/golden/README.md): in f64 on the reference backend, in f32 on all
// others.
#include <gtest/gtest.h>

#include <cmath>

#include "strata/objectives/contrastive.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/conformance/drawn.hpp"
#include "tests/fixtures/golden_data.hpp"

namespace strata::objectives {
namespace {

class ContrastiveGolden : public ::testing::TestWithParam<const char*> {
 protected:
  Tensor load(const std::string& what) {
    return ctx_->upload(file_.load_as(file_.entry(std::string(GetParam()) + "." + what), dtype_));
  }
  void expect(const Tensor& got, const std::string& what) {
    const auto a = conformance::read(*ctx_, got), b = conformance::read(*ctx_, load(what));
    ASSERT_EQ(a.size(), b.size()) << what;
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      norm += b[i] * b[i];
    }
    EXPECT_LE(std::sqrt(difference), (dtype_ == DType::f64 ? 1e-12 : 5e-6) * std::sqrt(norm)) << what;
  }
  ContrastiveLoss loss(std::int64_t block_rows) {
    GlobalBatch batch;
    const Tensor image = load("in.image"), text = load("in.text"), scale = load("in.logit_scale");
    if (GetParam() == std::string("clip")) return clip_loss(*ctx_, batch, image, text, scale, {block_rows});
    return siglip_loss(*ctx_, batch, image, text, scale, load("in.logit_bias"), {block_rows});
  }

  io::SafetensorsFile file_ = fixtures::golden_data("contrastive");
  Context* ctx_ = nullptr;
  DType dtype_ = DType::f64;
};

TEST_P(ContrastiveGolden, ValueAndGradientsAreThoseOfOpenClip) {
  const auto backends = conformance::make_backends();
  for (const auto& backend : backends) {
    SCOPED_TRACE(backend.name);
    Context ctx = backend.context();
    ctx_ = &ctx;
    dtype_ = &backend == &backends.front() ? DType::f64 : DType::f32;
    for (const std::int64_t block_rows : {17, 1024}) {
      const ContrastiveLoss got = loss(block_rows);
      expect(got.loss, "loss");
      expect(got.image, "grad.image");
      expect(got.text, "grad.text");
      expect(got.logit_scale, "grad.logit_scale");
      if (got.logit_bias.defined()) expect(got.logit_bias, "grad.logit_bias");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, ContrastiveGolden, ::testing::Values("clip", "siglip"));

}  // namespace
}  // namespace strata::objectives
