// SPDX-License-Identifier: Apache-2.0
#include "strata/nn/parameter.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"

namespace strata::nn {

Parameter::Parameter(std::string name, Tensor value, std::vector<LogicalAxis> axes, Init init, Role role)
    : Leaf(name, value, role == Role::parameter),
      local_name_(std::move(name)),
      init_(init),
      role_(role),
      placement_(Placement::whole(std::move(axes))),
      global_shape_(value.shape()) {
  STRATA_CHECK(placement_.numel() == value.numel(), internal, local_name_,
               fmt::format("its logical axes hold {} elements, its shape {} holds {}", placement_.numel(),
                           value.shape().str(), value.numel()));
}

void Parameter::assign(Context& ctx, const Tensor& contents) {
  STRATA_CHECK(contents.shape() == spec().shape, internal, name(),
               fmt::format("contents of shape {} for a parameter of {}", contents.shape().str(), spec().shape.str()));
  set_value(ops::cast(ctx, contents, spec().dtype));
  if (master_type() != spec().dtype) set_master(ops::cast(ctx, contents, master_type()));
}

DType Parameter::master_type() const {
  if (has_master()) return master_.dtype();
  return role_ == Role::parameter ? ops::accumulation_type(spec().dtype) : spec().dtype;
}

void Parameter::set_master(Tensor master) {
  master_ = std::move(master);
  if (master_.defined() && master_.storage() != value().storage()) master_.storage()->label(MemoryKind::optimizer);
}

void Parameter::place(Placement placement, Tensor value) {
  const Shape local = placement.local_shape(global_shape_);
  STRATA_CHECK(
      local == value.shape(), internal, name(),
      fmt::format("a part of shape {} was given where the placement holds {}", value.shape().str(), local.str()));
  placement_ = std::move(placement);
  master_ = {};
  clear_grad();
  set_value(std::move(value));
}

}  // namespace strata::nn
