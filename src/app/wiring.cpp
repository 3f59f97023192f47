// SPDX-License-Identifier: Apache-2.0
#include "app/wiring.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backends/reference/reference.hpp"
#include "strata/base/error.hpp"
#include "strata/runtime/host_backend.hpp"

namespace strata::app {

WiredBackend::WiredBackend(std::shared_ptr<Backend> backend, std::unique_ptr<KernelTable> table,
                           std::unique_ptr<KernelTable> fallback)
    : backend_(std::move(backend)), fallback_(std::move(fallback)), table_(std::move(table)) {
  if (fallback_) table_->set_fallback(fallback_.get());
}

WiredBackend WiredBackend::wrapped(const std::function<KernelTable::Run(const KernelTable::Entry&)>& wrap) const {
  return WiredBackend(backend_, std::make_unique<KernelTable>(table_->wrapped(wrap)),
                      fallback_ ? std::make_unique<KernelTable>(fallback_->wrapped(wrap)) : nullptr);
}

// The reference kernels are plain loops with no memory of their own: a rehearsal leaves them out.
std::unique_ptr<KernelTable> reference_table(bool rehearsal) {
  KernelTable table = make_reference_table();
  if (rehearsal) table = table.wrapped([](const auto&) { return [](const void*, Inputs, Outputs, Context&) {}; });
  return std::make_unique<KernelTable>(std::move(table));
}

std::vector<std::string_view> backend_names() {
  std::vector<std::string_view> names;
  if (cpu_is_built()) names.emplace_back("cpu");
  names.emplace_back("reference");
  if (cuda_is_built()) names.emplace_back("cuda");
  return names;
}

std::string_view preferred_backend(const BackendOptions& options) {
  return !options.rehearsal && cuda_has_device() ? "cuda" : backend_names().front();
}

data::BufferMemory buffer_memory(const std::shared_ptr<Backend>& backend) {
  return backend->name() == "cuda" ? cuda_buffer_memory(backend) : data::BufferMemory{};
}

KernelTable own_kernels(std::string_view name) {
  return name == "cpu" ? cpu_kernels() : name == "cuda" ? cuda_kernels() : make_reference_table();
}

WiredBackend wire_backend(std::string_view name, const BackendOptions& options) {
  const auto names = backend_names();
  if (name.empty()) name = preferred_backend(options);
  if (std::ranges::find(names, name) == names.end()) {
    const auto near = nearest_name(name, names);
    fail(
        ErrorKind::usage, "backend", fmt::format("this build has no backend '{}'", name),
        near.empty() ? fmt::format("use one of: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
  }
  if (name == "cpu") return wire_cpu(options);
  if (name == "cuda") return wire_cuda(options);
  return WiredBackend(
      options.rehearsal ? make_host_backend("reference", HostMemory::rehearsed) : make_reference_backend(),
      reference_table(options.rehearsal));
}

}  // namespace strata::app
