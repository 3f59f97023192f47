// SPDX-License-Identifier: Apache-2.0
#include "engine/state_difference.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::engine {
namespace {

constexpr std::size_t kShown = 3;

// "4 tensors are missing ('a', 'b', 'c', ...)"
void tell(std::string& text, const std::vector<std::string>& items, std::string_view one, std::string_view many) {
  if (items.empty()) return;
  std::string list;
  for (std::size_t i = 0; i < items.size() && i < kShown; ++i) list += (i > 0 ? ", " : "") + items[i];
  if (items.size() > kShown) list += ", ...";
  text += fmt::format("{}{} {} ({})", text.empty() ? "" : "; ", items.size(), items.size() == 1 ? one : many, list);
}

std::string tensor_text(DType dtype, const Shape& shape) { return fmt::format("{}{}", name_of(dtype), shape.str()); }

}  // namespace

std::string state_difference(const io::StoredCheckpoint& stored, const StateDict& wanted,
                             const std::vector<std::string>& unwanted) {
  std::unordered_map<std::string_view, const io::StoredTensor*> by_name;
  for (const auto& tensor : stored.tensors()) by_name.emplace(tensor.name, &tensor);
  std::vector<std::string> missing, other, extra;
  for (const auto& entry : wanted) {
    const auto found = by_name.find(entry.name);
    if (found == by_name.end()) {
      missing.push_back(printable(entry.name));
      if (missing.size() > kShown) continue;
      std::vector<std::string_view> spare;  // a name that both have is no misspelling
      for (const auto& tensor : stored.tensors())
        if (wanted.find(tensor.name) == nullptr) spare.push_back(tensor.name);
      const auto near = nearest_name(entry.name, spare);
      if (!near.empty()) missing.back() += fmt::format(" but {}", printable(near));
      continue;
    }
    const auto& [name, dtype, shape] = *found->second;
    const Shape& here = entry.global ? *entry.global : entry.value.shape();
    if (dtype != entry.value.dtype() || shape != here)
      other.push_back(fmt::format("{} {} there, {} here", printable(name), tensor_text(dtype, shape),
                                  tensor_text(entry.value.dtype(), here)));
  }
  for (const auto& name : unwanted) extra.push_back(printable(name));
  std::string text;
  tell(text, other, "tensor has another shape or type", "tensors have another shape or type");
  tell(text, missing, "tensor of this model is not in it", "tensors of this model are not in it");
  tell(text, extra, "tensor in it has no place here", "tensors in it have no place here");
  return text;
}

}  // namespace strata::engine
