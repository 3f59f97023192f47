// SPDX-License-Identifier: Apache-2.0
//
// The text tower against Hugging Face's BertModel: our packed texts against its padded and masked batch.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "strata/models/bert_text_encoder.hpp"
#include "strata/ops/copy.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/fixtures/golden_data.hpp"
#include "tests/fixtures/golden_file.hpp"

namespace strata {
namespace {

using models::BertTextEncoder;

class Golden {
 public:
  Golden(Context ctx, DType dtype, models::TextPooling pooling)
      : ctx_(std::move(ctx)), file_(fixtures::golden_data("bert")), mean_(pooling == models::TextPooling::mean) {
    const auto weights = this->weights();
    std::map<std::string, Shape> shapes;
    for (const auto& [name, tensor] : weights) shapes.emplace(name, tensor.shape());
    const auto config = nlohmann::json::parse(file_.metadata().at("config"));
    auto sizes = models::bert_config_of(shapes, config.at("num_attention_heads").get<std::int64_t>());
    sizes.pooling = pooling;
    sizes.dropout = 0;
    model_ = std::make_unique<BertTextEncoder>(ctx_, dtype, sizes);
    const auto names = models::import_bert(ctx_, *model_, weights);
    EXPECT_EQ(names.prefix, "bert.");
    EXPECT_EQ(names.projection, "text_projection.weight");
    EXPECT_TRUE(names.unused.empty());
  }

  // Everything in the file that is a weight.
  std::map<std::string, Tensor> weights() const {
    std::map<std::string, Tensor> weights;
    for (const auto& entry : file_.entries())
      if (entry.name.starts_with("bert.") || entry.name.starts_with("text_projection."))
        weights.emplace(entry.name, file_.load(entry));
    return weights;
  }

  models::TextBatch batch() const {
    models::TextBatch batch;
    batch.ids = values<std::int32_t>("in.ids");
    batch.types = values<std::int32_t>("in.types");
    batch.offsets = values<std::int64_t>("in.offsets");
    for (std::int64_t i = 0; i < batch.texts(); ++i) batch.ordinals.push_back(i);
    return batch;
  }

  Tensor embed(autograd::Checkpointing checkpointing = autograd::Checkpointing::none) {
    autograd::Tape tape(ctx_, {.checkpointing = checkpointing});
    const autograd::Variable out = model_->forward(tape, batch());
    const Tensor value = ctx_.download(out.value());
    const autograd::Tape::Root root{out, ops::cast(ctx_, ctx_.upload(file_.load("in.cotangent")), out.dtype())};
    tape.backward(std::span(&root, 1));
    return value;
  }

  double output_error(const Tensor& out) const {
    return fixtures::relative_error(ctx_, out, file_.load(mean_ ? "out.mean" : "out.cls"));
  }

  // The gradients under Hugging Face's names, through the way weights are exported. The keys' biases, whose gradient is
  // zero but for rounding, are compared with the size of the queries'.
  double gradient_error() {
    double worst = 0;
    BertTextEncoder gradients(ctx_, model_->proj.weight->master_type(), model_->config());
    const auto ours = model_->parameters(), theirs = gradients.parameters();
    for (std::size_t i = 0; i < ours.size(); ++i) theirs[i]->assign(ctx_, ours[i]->grad());
    for (const auto& [name, gradient] : models::export_bert(ctx_, gradients, "bert.")) {
      const std::string wanted = fmt::format("grad.{}.{}", mean_ ? "mean" : "cls", name);
      if (file_.find(wanted) == nullptr) continue;
      ++compared_;
      double error = fixtures::relative_error(ctx_, gradient, file_.load(wanted));
      if (name.ends_with("key.bias"))
        error *= norm(wanted) / norm(std::string(wanted).replace(wanted.size() - 8, 3, "query"));
      EXPECT_LT(error, 1) << name;
      worst = std::max(worst, error);
    }
    return worst;
  }

  Context& ctx() { return ctx_; }
  BertTextEncoder& model() { return *model_; }
  int compared() const { return compared_; }

 private:
  template <class T>
  std::vector<T> values(const char* name) const {
    const Tensor tensor = file_.load(name);
    return {tensor.data<T>(), tensor.data<T>() + tensor.numel()};
  }
  double norm(const std::string& name) const {
    const Tensor tensor = file_.load(name);
    double sum = 0;
    for (std::int64_t i = 0; i < tensor.numel(); ++i) sum += tensor.data<double>()[i] * tensor.data<double>()[i];
    return std::sqrt(sum);
  }

  Context ctx_;
  io::SafetensorsFile file_;
  bool mean_;
  std::unique_ptr<BertTextEncoder> model_;
  int compared_ = 0;
};

TEST(Bert, EqualsHuggingFaceInDoublePrecision) {
  const auto backends = conformance::make_backends();
  for (const auto pooling : {models::TextPooling::cls, models::TextPooling::mean}) {
    Golden golden(backends.front().context(), DType::f64, pooling);
    const double output = golden.output_error(golden.embed()), gradient = golden.gradient_error();
    EXPECT_LE(output, 1e-13);
    EXPECT_LE(gradient, 1e-12);
    EXPECT_EQ(golden.compared(), pooling == models::TextPooling::cls ? 54 : 2);
    fmt::print("BERT in f64: output {:.1e}, worst gradient {:.1e}\n", output, gradient);
  }
}

TEST(Bert, EqualsHuggingFaceInSinglePrecisionOnEveryBackend) {
  for (const auto& backend : conformance::make_backends()) {
    Golden golden(backend.context(), DType::f32, models::TextPooling::cls);
    const double output = golden.output_error(golden.embed()), gradient = golden.gradient_error();
    EXPECT_LE(output, 2e-5) << backend.name;
    EXPECT_LE(gradient, 2e-5) << backend.name;
    fmt::print("BERT in f32 on {}: output {:.1e}, worst gradient {:.1e}\n", backend.name, output, gradient);
  }
}

TEST(Bert, CheckpointingChangesNothing) {
  for (const auto& backend : conformance::make_backends()) {
    Golden plain(backend.context(), DType::f32, models::TextPooling::cls);
    plain.embed();
    for (const auto checkpointing : {autograd::Checkpointing::selective, autograd::Checkpointing::full}) {
      Golden again(backend.context(), DType::f32, models::TextPooling::cls);
      again.embed(checkpointing);
      const auto expected = plain.model().parameters(), parameters = again.model().parameters();
      for (std::size_t i = 0; i < parameters.size(); ++i)
        EXPECT_EQ(fixtures::relative_error(plain.ctx(), parameters[i]->grad(), expected[i]->grad()), 0)
            << parameters[i]->name() << " on " << backend.name;
    }
  }
}

TEST(Bert, StaysNearInMixedPrecision) {
  for (const auto& backend : conformance::make_backends()) {
    Golden golden(backend.context(), DType::bf16, models::TextPooling::cls);
    const double output = golden.output_error(golden.embed()), gradient = golden.gradient_error();
    EXPECT_LE(output, 0.02) << backend.name;
    EXPECT_LE(gradient, 0.1) << backend.name;
    fmt::print("BERT in bf16 on {}: output {:.1e}, worst gradient {:.1e}\n", backend.name, output, gradient);
  }
}

}  // namespace
}  // namespace strata
