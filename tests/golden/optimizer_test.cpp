// SPDX-License-Identifier: Apache-2.0
//
// Ten steps of every optimizer against PyTorch (and timm): in f64 on the reference backend, in f32 on all others.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "strata/optim/gradient_norm.hpp"
#include "strata/optim/schedule.hpp"
#include "tests/conformance/backends.hpp"
#include "tests/fixtures/golden_data.hpp"

namespace strata::optim {
namespace {

constexpr std::int64_t kSteps = 10;
const std::vector<std::string> kNames{"matrix", "bias", "kernel"};

struct Case {
  std::string name;
  OptimizerConfig config;
  StepValues values;
  double max_norm = 0;
};

OptimizerConfig adam_like(Algorithm algorithm) {
  OptimizerConfig config;
  config.algorithm = algorithm;
  config.beta2 = 0.95;
  config.eps = 1e-6;
  return config;
}

OptimizerConfig sgd(double momentum, bool nesterov = false) {
  OptimizerConfig config;
  config.algorithm = Algorithm::sgd;
  config.momentum = momentum;
  config.nesterov = nesterov;
  return config;
}

std::vector<Case> cases() {
  auto lion = adam_like(Algorithm::lion);
  lion.beta2 = 0.99;
  auto adapting = adam_like(Algorithm::lamb);
  adapting.always_adapt = true;
  const auto lamb = adam_like(Algorithm::lamb);
  return {{"adamw", adam_like(Algorithm::adamw), {1e-2, 0.2}},
          {"adamw_scheduled", adam_like(Algorithm::adamw), {1e-2, 0.2}},
          {"adam", adam_like(Algorithm::adam), {1e-2, 0}},
          {"sgd", sgd(0), {1e-2, 0}},
          {"sgd_momentum", sgd(0.9), {1e-2, 0}},
          {"sgd_nesterov", sgd(0.9, true), {1e-2, 0}},
          {"sgd_momentum_l2", sgd(0.9), {1e-2, 0.1}},
          {"lion", lion, {1e-3, 0.2}},
          {"lamb", lamb, {1e-2, 0.05}},
          {"lamb_clipped", lamb, {1e-2, 0.05}, 1},
          {"lamb_always_adapt", adapting, {1e-2, 0.05}}};
}

// Row `step` of a golden tensor, as a device tensor of the type under test.
Tensor row(const Context& ctx, const io::SafetensorsFile& file, const std::string& name, std::int64_t step,
           DType type) {
  const Tensor all = file.load_as(file.entry(name), type);
  return ctx.upload(all.slice(0, step, step + 1).reshape(all.shape().without(0)));
}

std::vector<nn::ParameterPtr> start(const Context& ctx, const io::SafetensorsFile& file, DType type) {
  std::vector<nn::ParameterPtr> parameters;
  for (const auto& name : kNames) {
    const Tensor value = ctx.upload(file.load_as(file.entry("optim.start." + name), type));
    std::vector<LogicalAxis> axes;
    for (const auto extent : value.shape().extents()) axes.push_back({"axis", extent});
    parameters.push_back(std::make_shared<nn::Parameter>(name, value, axes, nn::Init{}));
  }
  return parameters;
}

double relative_error(const Context& ctx, const Tensor& got, const Tensor& expected, DType type) {
  double difference = 0, norm = 0;
  const double* b = expected.data<double>();
  const auto add = [&](const auto& a) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
      norm += b[i] * b[i];
    }
  };
  if (type == DType::f64)
    add(ctx.to_host<double>(got));
  else
    add(ctx.to_host<float>(got));
  return std::sqrt(difference / norm);
}

// timm's Lamb divides by max(1, norm / limit); clip_grad_norm_, which ours follows, adds 1e-6 to the norm.
Tensor factor(const Case& c, Context& ctx, const Optimizer& optimizer) {
  if (c.max_norm == 0) return {};
  const double norm = ctx.item(gradient_norm(ctx, optimizer).norm);
  return ctx.tensor(std::vector<double>{1 / std::max(1.0, norm / c.max_norm)}, {1});
}

void run(const Case& c, Context ctx, DType type, double allowed) {
  const auto file = fixtures::golden_data("torch_ops");
  const auto parameters = start(ctx, file, type);
  Optimizer optimizer(c.config, parameters);
  const Tensor rates = file.load("optim.adamw_scheduled.lr");
  for (std::int64_t step = 0; step < kSteps; ++step) {
    for (std::size_t i = 0; i < kNames.size(); ++i)
      parameters[i]->set_grad(row(ctx, file, "optim.grad." + kNames[i], step, type));
    StepValues values = c.values;
    if (c.name == "adamw_scheduled") values.lr = rates.data<double>()[step];
    optimizer.step(ctx, values, factor(c, ctx, optimizer));
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const Tensor all = file.load("optim." + c.name + "." + kNames[i]);
      const double error = relative_error(ctx, parameters[i]->value(), all.slice(0, step, step + 1), type);
      EXPECT_LE(error, allowed) << c.name << " " << kNames[i] << " after step " << step;
    }
  }
}

TEST(Optimizers, EqualPyTorchInDoublePrecision) {
  const auto backends = conformance::make_backends();
  for (const auto& c : cases()) run(c, backends.front().context(), DType::f64, 1e-12);
}

TEST(Optimizers, EqualPyTorchInSinglePrecisionOnEveryBackend) {
  for (const auto& backend : conformance::make_backends()) {
    SCOPED_TRACE(backend.name);
    for (const auto& c : cases()) run(c, backend.context(), DType::f32, 1e-6);
  }
}

TEST(Optimizers, ClipAsPyTorchDoes) {
  const auto file = fixtures::golden_data("torch_ops");
  for (const auto& backend : conformance::make_backends()) {
    SCOPED_TRACE(backend.name);
    Context ctx = backend.context();
    std::vector<Tensor> gradients;
    for (const auto& name : kNames) gradients.push_back(row(ctx, file, "optim.grad." + name, 0, DType::f64));
    const auto norm = clip(ctx, squared_norms(ctx, gradients), 1, 1);
    EXPECT_NEAR(ctx.item(norm.norm), *file.load("clip.norm").data<double>(), 1e-13 * ctx.item(norm.norm));
    const double factor = ctx.item(norm.factor);
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const Tensor expected = file.load("clip.out." + kNames[i]);
      const auto gradient = ctx.to_host<double>(gradients[i]);
      for (std::size_t k = 0; k < gradient.size(); ++k)
        EXPECT_NEAR(factor * gradient[k], expected.data<double>()[k], 1e-13);
    }
  }
}

}  // namespace
}  // namespace strata::optim
