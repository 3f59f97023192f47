// SPDX-License-Identifier: Apache-2.0
//
// Profiles as YAML, in and out.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"
#include "strata/config/node.hpp"
#include "strata/study/profile.hpp"
#include "study/orientation.hpp"
#include "study/profile_steps.hpp"

namespace strata::study {
namespace {

using config::Node;
using Entries = std::vector<std::pair<std::string, Node>>;

// parse(text) with its complaint put where the text stands.
template <class Parse>
auto parse_at(const Node& node, const Parse& parse) {
  try {
    return parse(node.as<std::string>());
  } catch (const Error& error) {
    node.complain(error.message(), error.hint());
  }
}

// Names go into shards, tables and messages.
std::string read_name(const Node& node) {
  constexpr std::string_view kPunctuation = "_-.+";
  std::string name = node.as<std::string>();
  const auto plain = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPunctuation.find(c) != std::string_view::npos;
  };
  if (name.empty() || name.size() > 80 || !std::ranges::all_of(name, plain))
    node.complain("a name has 1 to 80 letters, digits and _ - . +");
  return name;
}

std::string read_axes(const Node& node, const std::string& fallback) {
  node.check_keys({"axes"});
  const auto axes = node.find("axes");
  if (!axes) return fallback;
  return parse_at(*axes, [](const std::string& code) { return parse_axes(code), code; });
}

double read_number(const Node& node, double low, double high) {
  const double value = node.as<double>();
  if (!(value >= low && value <= high)) node.complain(fmt::format("{} lies outside {} … {}", value, low, high));
  return value;
}

template <class T>
std::array<T, 3> read_three(const Node& node, std::string_view key, T high) {
  const Node list = node.at(key);
  if (!list.is_list() || list.size() != 3) list.complain("three numbers are needed here, for D, H and W");
  std::array<T, 3> values{};
  for (std::size_t a = 0; a < 3; ++a) {
    values[a] = list.item(a).as<T>();
    if (!(values[a] >= 0 && values[a] <= high))
      list.item(a).complain(fmt::format("{} lies outside 0 … {}", values[a], high));
  }
  return values;
}

Extents3 read_extents(const Node& node) { return read_three<std::int64_t>(node, "extents", 1 << 14); }

// One name for all axes, or one for each.
std::array<Filter, 3> read_filters(const Node& node) {
  const auto filter = node.find("filter");
  if (!filter) return {Filter::linear, Filter::linear, Filter::linear};
  if (filter->is_scalar()) {
    const Filter all = parse_at(*filter, parse_filter);
    return {all, all, all};
  }
  if (!filter->is_list() || filter->size() != 3) filter->complain("one filter, or three for D, H and W");
  std::array<Filter, 3> filters{};
  for (std::size_t a = 0; a < 3; ++a) filters[a] = parse_at(filter->item(a), parse_filter);
  return filters;
}

Step read_resize(const Node& node) {
  node.check_keys({"extents", "filter"});
  return Resize{read_extents(node), read_filters(node)};
}

Step read_spacing(const Node& node) {
  node.check_keys({"mm", "filter", "align"});
  Spacing step{read_three<double>(node, "mm", 1000), read_filters(node), Align::edges};
  if (const auto align = node.find("align")) step.align = parse_at(*align, parse_align);
  if (step.align == Align::centers && std::ranges::count(step.filters, Filter::area) != 0)
    node.complain("area needs whole fields of view", "align: edges, or another filter");
  return step;
}

Window read_window(const Node& node) {
  Window window;
  constexpr double kWide = 1e9;
  if (node.has("center") || node.has("width")) {
    const double center = read_number(node.at("center"), -kWide, kWide),
                 width = read_number(node.at("width"), 0, kWide);
    window = {center - width / 2, center + width / 2};
  } else {
    window = {read_number(node.at("low"), -kWide, kWide), read_number(node.at("high"), -kWide, kWide)};
  }
  if (!(window.high - window.low >= 1e-6))
    node.complain(fmt::format("an empty window, {} to {}", window.low, window.high));
  return window;
}

WindowedScan read_windowed_scan(const Node& node) {
  WindowedScan scan;
  scan.name = read_name(node.at("name"));
  if (const auto channels = node.find("channels")) {
    node.check_keys({"name", "channels"});
    for (const Node& channel : channels->items()) {
      channel.check_keys({"center", "width", "low", "high"});
      scan.channels.push_back(read_window(channel));
    }
    if (scan.channels.empty()) channels->complain("a scan without channels");
  } else {
    node.check_keys({"name", "channels", "center", "width", "low", "high"});
    scan.channels.push_back(read_window(node));
  }
  return scan;
}

Step read_windows(const Node& node) {
  Windows step;
  for (const Node& scan : node.items()) {
    step.scans.push_back(read_windowed_scan(scan));
    const WindowedScan &first = step.scans.front(), &last = step.scans.back();
    if (last.channels.size() != first.channels.size())
      scan.complain(fmt::format("{} channels, and {} in '{}'", last.channels.size(), first.channels.size(), first.name),
                    "all scans of a profile have equally many");
    const auto same = [&](const WindowedScan& other) { return other.name == last.name; };
    if (std::ranges::count_if(step.scans, same) > 1) scan.complain(fmt::format("'{}' names two scans", last.name));
  }
  if (step.scans.empty()) node.complain("no window");
  return step;
}

Step read_percentiles(const Node& node) {
  node.check_keys({"low", "high"});
  Percentiles step;
  if (const auto low = node.find("low")) step.low = read_number(*low, 0, 100);
  if (const auto high = node.find("high")) step.high = read_number(*high, 0, 100);
  if (step.low >= step.high) node.complain(fmt::format("from {} to {}", step.low, step.high), "low < high");
  return step;
}

Step read_step(const Node& item) {
  if (!item.is_map() || item.size() != 1)
    item.complain("a step is one name with its settings: '- resize: {extents: […]}'");
  const auto entries = item.entries();
  const std::string& name = entries.front().first;
  const Node& node = entries.front().second;
  const auto names = step_names();
  switch (std::ranges::find(names, name) - names.begin()) {
    case 0: return Orient{read_axes(node, "RAS")};
    case 1: return OwnPlane{read_axes(node, "IPR")};
    case 2: return read_spacing(node);
    case 3: return read_resize(node);
    case 4: {
      node.check_keys({"above", "margin"});
      CropForeground step;
      if (const auto above = node.find("above")) step.above = read_number(*above, -1e9, 1e9);
      if (node.has("margin")) step.margin = read_three<double>(node, "margin", 1000);
      return step;
    }
    case 5: {
      node.check_keys(std::span<const std::string_view>{});
      return PadSquare{};
    }
    case 6: {
      node.check_keys({"extents"});
      return Pad{read_extents(node)};
    }
    case 7: {
      node.check_keys({"extents"});
      return Crop{read_extents(node)};
    }
    case 8: return read_windows(node);
    case 9: return read_percentiles(node);
    default: {
      const auto near = nearest_name(name, names);
      item.complain(fmt::format("unknown step '{}'", name.substr(0, 40)),
                    near.empty() ? fmt::format("use one of {}", fmt::join(names, ", "))
                                 : fmt::format("did you mean '{}'?", near));
    }
  }
}

Node extents_node(const Extents3& extents) {
  return Node::list_of(std::vector<std::int64_t>(extents.begin(), extents.end()));
}

Node filters_node(const std::array<Filter, 3>& filters) {
  if (filters[0] == filters[1] && filters[1] == filters[2]) return Node::of(name_of(filters[0]));
  std::vector<Node> names;
  for (const Filter filter : filters) names.push_back(Node::of(name_of(filter)));
  return Node::list(names);
}

struct StepWriter {
  Node operator()(const Orient& step) const { return map({{"axes", Node::of(step.axes)}}); }
  Node operator()(const OwnPlane& step) const { return map({{"axes", Node::of(step.axes)}}); }
  Node operator()(const Spacing& step) const {
    return map({{"mm", Node::list_of(std::vector<double>(step.mm.begin(), step.mm.end()))},
                {"filter", filters_node(step.filters)},
                {"align", Node::of(name_of(step.align))}});
  }
  Node operator()(const Resize& step) const {
    return map({{"extents", extents_node(step.extents)}, {"filter", filters_node(step.filters)}});
  }
  // Without a margin as before there were any: the text is a profile's identity.
  Node operator()(const CropForeground& step) const {
    Entries entries{{"above", Node::of(step.above)}};
    if (step.margin != Vec3{})
      entries.emplace_back("margin", Node::list_of(std::vector<double>(step.margin.begin(), step.margin.end())));
    return map(entries);
  }
  Node operator()(const PadSquare&) const { return map({}); }
  Node operator()(const Pad& step) const { return map({{"extents", extents_node(step.extents)}}); }
  Node operator()(const Crop& step) const { return map({{"extents", extents_node(step.extents)}}); }
  Node operator()(const Windows& step) const {
    std::vector<Node> scans;
    for (const WindowedScan& scan : step.scans) {
      std::vector<Node> channels;
      for (const Window& window : scan.channels)
        channels.push_back(map({{"low", Node::of(window.low)}, {"high", Node::of(window.high)}}));
      scans.push_back(map({{"name", Node::of(scan.name)}, {"channels", Node::list(channels)}}));
    }
    return Node::list(scans);
  }
  Node operator()(const Percentiles& step) const {
    return map({{"low", Node::of(step.low)}, {"high", Node::of(step.high)}});
  }

 private:
  static Node map(const Entries& entries) { return Node::map(entries); }
};

}  // namespace

Profile parse_profile(const Node& node) {
  node.check_keys({"name", "modalities", "voxels", "steps"});
  Profile profile;
  profile.name = read_name(node.at("name"));
  if (const auto modalities = node.find("modalities")) profile.modalities = modalities->as<std::vector<std::string>>();
  if (const auto voxels = node.find("voxels"))
    profile.voxels = parse_at(*voxels, [](const std::string& type) {
      const DType dtype = parse_dtype(type);
      levels_of(dtype);
      return dtype;
    });
  for (const Node& step : node.at("steps").items()) profile.steps.push_back(read_step(step));
  grid_of(profile);
  return profile;
}

Profile parse_profile(std::string_view text, std::string_view where) {
  return parse_profile(Node::parse(text, std::string(where)));
}

std::string text_of(const Profile& profile) {
  std::vector<Node> steps;
  for (const Step& step : profile.steps)
    steps.push_back(Node::map(Entries{{std::string(name_of(step)), std::visit(StepWriter{}, step)}}));
  return Node::map(Entries{{"name", Node::of(profile.name)},
                           {"modalities", Node::list_of(profile.modalities)},
                           {"voxels", Node::of(name_of(profile.voxels))},
                           {"steps", Node::list(steps)}})
      .dump();
}

}  // namespace strata::study
