// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "io/safetensors/safetensors.hpp"
#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::string_view kWrapper = "module.";  // what PyTorch's data-parallel wrapper puts before every name

// Names of the file, without the wrapper's prefix where all of them have it.
std::map<std::string_view, const SafetensorsEntry*> names_of(const SafetensorsFile& file) {
  const bool wrapped =
      std::ranges::all_of(file.entries(), [](const SafetensorsEntry& e) { return e.name.starts_with(kWrapper); });
  std::map<std::string_view, const SafetensorsEntry*> names;
  for (const auto& entry : file.entries())
    names.emplace(std::string_view(entry.name).substr(wrapped ? kWrapper.size() : 0), &entry);
  return names;
}

bool type_fits(const SafetensorsEntry& entry, DType wanted, bool convert) {
  if (entry.dtype == wanted) return true;
  const bool floating = entry.type == "F16" || (entry.dtype && is_floating(*entry.dtype));
  return convert && floating && is_floating(wanted);
}

struct Mismatch {
  std::vector<std::string> missing, unexpected, shapes, types;

  bool any() const { return !missing.empty() || !unexpected.empty() || !shapes.empty() || !types.empty(); }
};

void list(std::string& text, std::string_view title, const std::vector<std::string>& lines, std::size_t listed) {
  if (lines.empty()) return;
  text += fmt::format("\n  {} ({}):", title, lines.size());
  for (std::size_t i = 0; i < std::min(lines.size(), listed); ++i) text += "\n    " + lines[i];
  if (lines.size() > listed) text += fmt::format("\n    and {} more", lines.size() - listed);
}

// "'a.weights' F32[3]", with the nearest of the names that were found too much.
std::string missing_line(const WantedTensor& wanted, const std::vector<std::string_view>& spare, bool search) {
  const auto near = search ? nearest_name(wanted.name, spare) : std::string_view();
  const std::string line = fmt::format("{} {}", printable(wanted.name), wanted.spec.str());
  return near.empty() ? line : fmt::format("{}; the file has {}", line, printable(near));
}

Mismatch compare(const std::map<std::string_view, const SafetensorsEntry*>& names, std::span<const WantedTensor> wanted,
                 const LoadOptions& options) {
  Mismatch mismatch;
  std::map<std::string_view, const SafetensorsEntry*> spare = names;
  std::vector<const WantedTensor*> missing;
  for (const auto& want : wanted) {
    const auto at = names.find(want.name);
    if (at == names.end()) {
      missing.push_back(&want);
      continue;
    }
    spare.erase(want.name);
    const SafetensorsEntry& entry = *at->second;
    if (entry.shape != want.spec.shape)
      mismatch.shapes.push_back(fmt::format("{} is {} in the file, {} is wanted", printable(want.name),
                                            entry.shape.str(), want.spec.shape.str()));
    if (!type_fits(entry, want.spec.dtype, options.convert))
      mismatch.types.push_back(fmt::format("{} is {} in the file, {} is wanted", printable(want.name), entry.type,
                                           name_of(want.spec.dtype)));
  }
  const auto ignored = [&](std::string_view name) {
    return std::ranges::any_of(options.ignore, [&](const std::string& prefix) { return name.starts_with(prefix); });
  };
  std::vector<std::string_view> near;  // bounded, because a file may hold a million names of a megabyte
  for (const auto& [name, entry] : spare) {
    if (ignored(name)) continue;
    mismatch.unexpected.push_back(fmt::format("{} {}{}", printable(name), entry->type, entry->shape.str()));
    if (near.size() < 1000 && name.size() < 256) near.push_back(name);
  }
  for (const auto* want : missing)
    mismatch.missing.push_back(missing_line(*want, near, mismatch.missing.size() < options.listed));
  return mismatch;
}

[[noreturn]] void refuse(const SafetensorsFile& file, const Mismatch& mismatch, const LoadOptions& options) {
  std::string text = fmt::format("{} does not fit the model", printable(file.path(), 400));
  list(text, "missing", mismatch.missing, options.listed);
  list(text, "not wanted", mismatch.unexpected, options.listed);
  list(text, "of another shape", mismatch.shapes, options.listed);
  list(text, "of another type", mismatch.types, options.listed);
  const bool types_alone = mismatch.missing.empty() && mismatch.unexpected.empty() && mismatch.shapes.empty();
  fail(ErrorKind::data, "safetensors", text,
       types_alone ? "ask for conversion (--convert)"
                   : "choose the variant the file was trained with, or ignore prefixes that are not wanted");
}

void check_finite(const SafetensorsFile& file, const std::string& name, const Tensor& tensor) {
  const auto at = first_non_finite(tensor);
  if (!at) return;
  fail(ErrorKind::numeric, "safetensors",
       fmt::format("{}: tensor {} is NaN or infinite at {}", printable(file.path(), 400), printable(name),
                   index_of(*at, tensor.shape())),
       "the run that wrote these weights diverged: take an earlier checkpoint");
}

}  // namespace

StateDict load_wanted(const SafetensorsFile& file, std::span<const WantedTensor> wanted, const LoadOptions& options) {
  const auto names = names_of(file);
  const Mismatch mismatch = compare(names, wanted, options);
  if (mismatch.any()) refuse(file, mismatch, options);
  StateDict state;
  for (const auto& want : wanted) {
    Tensor tensor = file.load_as(*names.at(want.name), want.spec.dtype);
    if (!options.allow_non_finite) check_finite(file, want.name, tensor);
    state.add(want.name, std::move(tensor));
  }
  return state;
}

}  // namespace strata::io
