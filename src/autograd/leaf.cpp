// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "strata/autograd/variable.hpp"
#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"

namespace strata::autograd {

Leaf::Leaf(std::string name, Tensor value, bool trainable)
    : name_(std::move(name)),
      value_(std::move(value)),
      spec_(value_.spec()),
      trainable_(trainable),
      grad_type_(ops::accumulation_type(spec_.dtype)) {
  if (value_.defined()) value_.storage()->label(MemoryKind::parameters);
}

const Tensor& Leaf::value() const {
  STRATA_CHECK(value_.defined(), internal, name_, "its storage is released",
               "gather it before the module that uses it runs");
  return value_;
}

void Leaf::set_value(Tensor value) {
  value_ = std::move(value);
  spec_ = value_.spec();
  if (value_.defined()) value_.storage()->label(MemoryKind::parameters);
}

void Leaf::set_grad(Tensor grad) {
  grad_ = std::move(grad);
  if (grad_.defined()) grad_.storage()->label(MemoryKind::gradients);
}

void Leaf::accumulate(Context& ctx, Tensor gradient) {
  STRATA_CHECK(gradient.shape() == spec_.shape, internal, name_,
               fmt::format("gradient {} for a value {}", gradient.spec().str(), spec_.str()));
  if (grad_.defined()) {
    ops::accumulate(ctx, grad_, ops::dense(ctx, gradient));
    return;
  }
  const bool ours = gradient.dtype() == grad_type_ && gradient.is_dense() && gradient.storage().use_count() == 1;
  if (ours) {
    set_grad(std::move(gradient));
  } else {
    set_grad(gradient.dtype() == grad_type_ ? ops::run1(ctx, ops::Copy{}, {gradient})
                                            : ops::cast(ctx, ops::dense(ctx, gradient), grad_type_));
  }
}

void Leaf::ensure_grad(Context& ctx) {
  if (!grad_.defined()) set_grad(ops::full(ctx, grad_type_, spec_.shape, 0));
}

void Leaf::notify_ready() {
  for (const auto& callback : callbacks_) callback(*this);
}

void detail::Slot::add(Context& ctx, Tensor gradient) {
  if (leaf) {
    leaf->accumulate(ctx, std::move(gradient));
  } else if (!grad.defined()) {
    grad = std::move(gradient);
  } else if (grad.storage().use_count() == 1 && grad.is_dense()) {  // nobody else sees it
    ops::accumulate(ctx, grad, ops::dense(ctx, gradient));
  } else {
    grad = ops::add(ctx, ops::dense(ctx, grad), ops::dense(ctx, gradient));
  }
}

}  // namespace strata::autograd
