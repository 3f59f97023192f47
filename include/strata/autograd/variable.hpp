// SPDX-License-Identifier: Apache-2.0
//
// The two things gradients flow to. A Leaf is a trainable tensor that outlives tapes; the tape saves it as a handle and
// resolves it again in backward, so its storage may be released and gathered in between. A Variable is a value on a
// tape; copying it copies a handle.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "strata/runtime/context.hpp"

namespace strata::autograd {

class Leaf {
 public:
  using ReadyCallback = std::function<void(Leaf&)>;

  Leaf(std::string name, Tensor value, bool trainable);
  virtual ~Leaf() = default;
  Leaf(const Leaf&) = delete;
  Leaf& operator=(const Leaf&) = delete;

  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }

  // The compute storage. Reading it while released is an internal error that names the leaf.
  const Tensor& value() const;
  void set_value(Tensor value);
  void release() { value_ = {}; }
  const TensorSpec& spec() const { return spec_; }  // known also while released

  bool trainable() const { return trainable_; }
  void set_trainable(bool trainable) { trainable_ = trainable; }

  // The gradient summed so far, in `grad_type` (default: the accumulation type of the value); undefined before the
  // first backward. A plan may put a view of its own buffer here: gradients are then added in place.
  const Tensor& grad() const { return grad_; }
  void set_grad(Tensor grad);
  DType grad_type() const { return grad_type_; }
  void set_grad_type(DType type) { grad_type_ = type; }
  void clear_grad() { grad_ = {}; }
  void accumulate(Context& ctx, Tensor grad);
  void ensure_grad(Context& ctx);  // zeros if there is none

  // Seam 3: called once a backward, when this leaf's gradient is complete. See Tape::backward for the order.
  void on_gradient_ready(ReadyCallback callback) { callbacks_.push_back(std::move(callback)); }
  void clear_callbacks() { callbacks_.clear(); }
  void notify_ready();

 private:
  std::string name_;
  Tensor value_;
  TensorSpec spec_;
  bool trainable_;
  Tensor grad_;
  DType grad_type_;
  std::vector<ReadyCallback> callbacks_;
};

namespace detail {

struct Saved;
class Fetch;

// Where the gradient of a value is gathered while backward walks.
struct Slot {
  Tensor grad;
  bool walked = false;  // backward has passed the step that made it
  bool keep = false;    // an input somebody will ask for
  std::shared_ptr<Leaf> leaf;
  void add(Context& ctx, Tensor gradient);
};

struct Recipe;  // how the outputs of an op that was cheap to run are computed again instead of being kept

}  // namespace detail

class Variable {
 public:
  Variable() = default;  // undefined: an optional input that was not given

  bool defined() const { return leaf_ != nullptr || value_.defined(); }
  const Tensor& value() const { return leaf_ ? leaf_->value() : value_; }
  TensorSpec spec() const { return leaf_ ? leaf_->spec() : value_.spec(); }
  const Shape& shape() const { return leaf_ ? leaf_->spec().shape : value_.shape(); }
  DType dtype() const { return leaf_ ? leaf_->spec().dtype : value_.dtype(); }
  std::int64_t dim(int axis) const { return shape()[axis]; }
  bool needs_grad() const { return slot_ != nullptr; }

 private:
  friend class Tape;
  Tensor value_;
  std::shared_ptr<Leaf> leaf_;
  std::shared_ptr<detail::Slot> slot_;
  std::shared_ptr<const detail::Recipe> recipe_;
  std::size_t recipe_output_ = 0;  // which of the recipe's values it is
};

}  // namespace strata::autograd
