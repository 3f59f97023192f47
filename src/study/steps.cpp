// SPDX-License-Identifier: Apache-2.0
//
// Each geometric step alone, and the names of filters.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "strata/base/error.hpp"
#include "study/pipeline.hpp"

namespace strata::study {
namespace {

constexpr std::array<std::string_view, 4> kFilters{"nearest", "linear", "cubic", "area"};
constexpr std::array<std::string_view, 2> kAligns{"edges", "centers"};

template <class Names>
std::size_t find_name(std::string_view name, const Names& names, std::string_view subject) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  const auto near = nearest_name(name, names);
  fail(ErrorKind::usage, subject, fmt::format("unknown {} '{}'", subject, name.substr(0, 40)),
       near.empty() ? fmt::format("use one of {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

template <class StepType>
Volume alone(const Volume& volume, const StepType& step) {
  Pipeline pipeline(volume);
  pipeline.run(step);
  return std::move(pipeline).volume();
}

}  // namespace

std::string_view name_of(Filter filter) { return kFilters[static_cast<std::size_t>(filter)]; }
Filter parse_filter(std::string_view name) { return static_cast<Filter>(find_name(name, kFilters, "filter")); }
std::string_view name_of(Align align) { return kAligns[static_cast<std::size_t>(align)]; }
Align parse_align(std::string_view name) { return static_cast<Align>(find_name(name, kAligns, "align")); }

Volume orient(const Volume& volume, const Orient& step) { return alone(volume, step); }
Volume own_plane(const Volume& volume, const OwnPlane& step) { return alone(volume, step); }
Volume resize(const Volume& volume, const Resize& step) { return alone(volume, step); }
Volume to_spacing(const Volume& volume, const Spacing& step) { return alone(volume, step); }
Volume crop_foreground(const Volume& volume, const CropForeground& step) { return alone(volume, step); }
Volume pad_square(const Volume& volume, const PadSquare& step) { return alone(volume, step); }
Volume pad(const Volume& volume, const Pad& step) { return alone(volume, step); }
Volume crop(const Volume& volume, const Crop& step) { return alone(volume, step); }

}  // namespace strata::study
