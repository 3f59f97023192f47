// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/host_entries.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

bool lies_in_place(const Tensor& tensor) { return tensor.device().kind == DeviceKind::host && tensor.is_dense(); }

}  // namespace

HostEntries::HostEntries(Context& ctx, const CheckpointTable& table, const StateDict& state, Use use)
    : ctx_(&ctx), use_(use) {
  for (const auto& row : table.tensors) entries_.push_back(state.find(row.name));
  for (const auto* entry : entries_) {
    if (entry == nullptr) continue;
    const bool copied_back = use == Use::write || entry->value.device().kind != DeviceKind::host;
    STRATA_CHECK(!copied_back || entry->value.is_dense(), internal, "checkpoint",
                 fmt::format("{} is not dense", printable(entry->name)));
    if (use == Use::write) entry->value.storage()->bump_version();
  }
  ctx.synchronise();
}

std::byte* HostEntries::bytes(std::size_t tensor) {
  const Tensor& value = entries_[tensor]->value;
  if (lies_in_place(value)) return static_cast<std::byte*>(value.raw());
  Tensor& copy = copies_[tensor];
  if (!copy.defined() && use_ == Use::write) copy = host_tensor(value.dtype(), value.shape());
  if (!copy.defined()) copy = value.device().kind == DeviceKind::host ? dense_on_host(value) : ctx_->download(value);
  return static_cast<std::byte*>(copy.raw());
}

void HostEntries::drop_before(std::size_t tensor) {
  while (!copies_.empty() && copies_.begin()->first < tensor) {
    if (use_ == Use::write) give_back(copies_.begin()->first, copies_.begin()->second);
    copies_.erase(copies_.begin());
  }
}

void HostEntries::give_back(std::size_t tensor, const Tensor& copy) {
  const Tensor& value = entries_[tensor]->value;
  ctx_->backend().copy(value.raw(), value.device(), copy.raw(), Device{}, value.bytes(), ctx_->stream());
  ctx_->synchronise();  // the copy lives until here
}

}  // namespace strata::io
