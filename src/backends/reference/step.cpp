// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/step.hpp"

#include <cmath>

#include "backends/reference/register.hpp"
#include "backends/reference/types.hpp"

namespace strata::reference {
namespace {

// One element of a parameter: the value, its gradient and up to two moments.
struct Element {
  double p = 0, g = 0, m = 0, v = 0;
};

// One tensor of a step op. Moments that the op does not have, or that were not given, stay empty and read as 0.
struct StepTensor {
  const double* hyper;  // its row
  Values p, g, m, v;

  Element read(std::size_t i) const { return {p[i], g[i], m.empty() ? 0 : m[i], v.empty() ? 0 : v[i]}; }
  void write(std::size_t i, const Element& e) {
    p[i] = e.p;
    if (!m.empty()) m[i] = e.m;
    if (!v.empty()) v[i] = e.v;
  }
};

Values load_given(const Tensor& tensor) { return tensor.defined() ? load(tensor) : Values{}; }
void store_given(const Tensor& tensor, const Values& values) {
  if (tensor.defined()) store(tensor, values);
}

// Calls `step(tensor)` for each tensor of a step op with `states` moments; a factor of 0 keeps everything as it is.
template <class Op, class Step>
void each_tensor(const Op& op, int states, Inputs in, Outputs out, const Step& step) {
  const double factor = *in[1].data<double>();
  auto next = in.begin() + 2;
  auto into = out.begin();
  for (const auto group : op.groups) {
    StepTensor tensor{in[0].data<double>() + group * Op::kHyperColumns, load(*next++), load(*next++), {}, {}};
    tensor.m = load_given(*next++);
    if (states == 2) tensor.v = load_given(*next++);
    for (double& g : tensor.g) g *= factor;
    if (factor != 0) step(tensor);
    const Tensor& p = *into++;
    store(p, tensor.p);
    store_given(*into++, tensor.m);
    if (states == 2) store_given(*into++, tensor.v);
    // The copy is rounded from what was stored, so that master and copy agree.
    if (!op.compute_copy.empty()) store_given(*into++, load(p));
  }
}

template <class Update>
void each_element(StepTensor& tensor, const Update& update) {
  for (std::size_t i = 0; i < tensor.p.size(); ++i) {
    Element e = tensor.read(i);
    update(e);
    tensor.write(i, e);
  }
}

// m and v of Adam, in place; returns the step's direction.
double adam_direction(Element& e, double beta1, double beta2, double eps, double bias1, double bias2) {
  e.m += (1 - beta1) * (e.g - e.m);
  e.v = beta2 * e.v + (1 - beta2) * e.g * e.g;
  return e.m / bias1 / (std::sqrt(e.v / bias2) + eps);
}

void adamw(const ops::AdamWStep& op, Inputs in, Outputs out, Context&) {
  each_tensor(op, 2, in, out, [&](StepTensor& tensor) {
    const double* h = tensor.hyper;
    const double lr = h[0], decay = h[4];
    each_element(tensor, [&](Element& e) {
      if (op.decoupled)
        e.p *= 1 - lr * decay;
      else
        e.g += decay * e.p;
      e.p -= lr * adam_direction(e, h[1], h[2], h[3], h[5], h[6]);
    });
  });
}

void sgd(const ops::SgdStep& op, Inputs in, Outputs out, Context&) {
  each_tensor(op, 1, in, out, [&](StepTensor& tensor) {
    const double lr = tensor.hyper[0], momentum = tensor.hyper[1], dampening = tensor.hyper[2];
    const double decay = tensor.hyper[3];
    const bool first = tensor.hyper[4] != 0, plain = tensor.m.empty();
    each_element(tensor, [&](Element& e) {
      const double g = e.g + decay * e.p;
      e.m = first ? g : momentum * e.m + (1 - dampening) * g;
      e.p -= lr * (plain ? g : op.nesterov ? g + momentum * e.m : e.m);
    });
  });
}

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

void lion(const ops::LionStep& op, Inputs in, Outputs out, Context&) {
  each_tensor(op, 1, in, out, [](StepTensor& tensor) {
    const double lr = tensor.hyper[0], beta1 = tensor.hyper[1], beta2 = tensor.hyper[2];
    const double decay = tensor.hyper[3];
    each_element(tensor, [&](Element& e) {
      e.p = e.p * (1 - lr * decay) - lr * sign(beta1 * e.m + (1 - beta1) * e.g);
      e.m = beta2 * e.m + (1 - beta2) * e.g;
    });
  });
}

void lamb(const ops::LambStep& op, Inputs in, Outputs out, Context&) {
  each_tensor(op, 2, in, out, [](StepTensor& tensor) {
    const double* h = tensor.hyper;
    const auto update = [&](Element& e) { return adam_direction(e, h[1], h[2], h[3], h[5], h[6]) + h[4] * e.p; };
    double p_squared = 0, u_squared = 0;
    for (std::size_t i = 0; i < tensor.p.size(); ++i) {
      Element e = tensor.read(i);
      const double u = update(e);
      p_squared += e.p * e.p;
      u_squared += u * u;
    }
    const bool adapt = h[7] != 0 && p_squared > 0 && u_squared > 0;
    const double ratio = adapt ? std::sqrt(p_squared) / std::sqrt(u_squared) : 1;
    each_element(tensor, [&](Element& e) { e.p -= h[0] * ratio * update(e); });
  });
}

void squared_norms(const ops::SquaredNorms&, Inputs in, Outputs out, Context&) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    double sum = 0;
    for (const double x : load(in[i])) sum += x * x;
    out[0].data<double>()[i] = sum;
  }
}

void clip_factor(const ops::ClipFactor& op, Inputs in, Outputs out, Context&) {
  double sum = 0;
  for (std::int64_t i = 0; i < in[0].numel(); ++i) sum += in[0].data<double>()[i];
  const double scale = *in[1].data<double>();
  const double norm = scale * std::sqrt(sum);
  double factor = 0;
  if (std::isfinite(norm)) factor = scale * (op.max_norm > 0 ? std::fmin(1, op.max_norm / (norm + 1e-6)) : 1);
  *out[0].data<double>() = factor;
  *out[1].data<double>() = norm;
}

void ema(const ops::EmaStep&, Inputs in, Outputs out, Context&) {
  const double decay = *in[0].data<double>();
  for (std::size_t i = 1; i < in.size(); i += 2) {
    Values average = load(in[i]);
    const Values p = load(in[i + 1]);
    for (std::size_t j = 0; j < p.size(); ++j) average[j] += (1 - decay) * (p[j] - average[j]);
    store(out[i / 2], average);
  }
}

}  // namespace

void register_step(KernelTable& table) {
  table.add<ops::AdamWStep>("reference", adamw, floating);
  table.add<ops::SgdStep>("reference", sgd, floating);
  table.add<ops::LionStep>("reference", lion, floating);
  table.add<ops::LambStep>("reference", lamb, floating);
  table.add<ops::SquaredNorms>("reference", squared_norms, floating);
  table.add<ops::ClipFactor>("reference", clip_factor, floating);
  table.add<ops::EmaStep>("reference", ema, floating);
}

}  // namespace strata::reference
