// SPDX-License-Identifier: Apache-2.0
//
// A model's tensor with what parallelism, optimizers and checkpoints need to know of it: its name in the module tree,
// the logical axes it is made of, which part of it is here (Placement), and its two storages: `value` (what the forward
// pass reads, maybe bf16) and `master` (what the optimizer writes and files hold, f32 or f64; the same tensor while
// both types agree).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "strata/autograd/variable.hpp"
#include "strata/nn/init.hpp"
#include "strata/tensor/placement.hpp"

namespace strata::nn {

// Buffers belong to the model and its checkpoint but get no gradient and no optimizer state (fixed position tables,
// running statistics).
enum class Role : std::uint8_t { parameter, buffer };

class Parameter final : public autograd::Leaf {
 public:
  // `axes` multiply up to the value's extents in order. `name` is the module's own name for it ("weight"); walking the
  // tree makes it full.
  Parameter(std::string name, Tensor value, std::vector<LogicalAxis> axes, Init init, Role role = Role::parameter);

  const std::string& local_name() const { return local_name_; }
  Role role() const { return role_; }
  const Init& init() const { return init_; }
  const std::vector<LogicalAxis>& axes() const { return placement_.axes; }
  const Placement& placement() const { return placement_; }
  const Shape& global_shape() const { return global_shape_; }

  // New contents of the same shape, in any floating type: master and value are set from it, each in its own type. A
  // trainable value in bf16 gets its f32 master here, with the contents unrounded.
  void assign(Context& ctx, const Tensor& contents);

  // Seam 1: keep only a part (gradient and master start anew). `value` holds the box of `placement`.
  void place(Placement placement, Tensor value);

  const Tensor& master() const { return master_.defined() ? master_ : value(); }
  bool has_master() const { return master_.defined(); }
  // Of the master there is, or that assign will make: a parameter's accumulation type, a buffer's own type.
  DType master_type() const;
  void set_master(Tensor master);

 private:
  std::string local_name_;
  Init init_;
  Role role_;
  Placement placement_;
  Shape global_shape_;
  Tensor master_;
};

using ParameterPtr = std::shared_ptr<Parameter>;

}  // namespace strata::nn
