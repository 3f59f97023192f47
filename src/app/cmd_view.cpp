// SPDX-License-Identifier: Apache-2.0
// strata view: a study as a picture, series by slices.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "app/command.hpp"
#include "app/view_study.hpp"
#include "io/image/montage.hpp"
#include "io/nifti/nifti.hpp"
#include "io/shard/shard.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"
#include "strata/study/geometry.hpp"

namespace strata::app {
namespace {

struct ViewOptions {
  std::string path, to, study, overlay;
  std::vector<std::string> windows;
  io::MontageOptions montage;
};

constexpr std::array kNamed{std::pair{"brain", std::pair{40, 80}},  std::pair{"subdural", std::pair{80, 200}},
                            std::pair{"stroke", std::pair{35, 35}}, std::pair{"bone", std::pair{600, 2800}},
                            std::pair{"soft", std::pair{50, 400}},  std::pair{"lung", std::pair{-600, 1500}}};

double number_of(std::string_view text, const std::string& window) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  STRATA_CHECK(error == std::errc() && end == text.data() + text.size() && std::isfinite(value), usage, "view",
               fmt::format("{} is no window", io::printable(window)),
               "give CENTRE,WIDTH as in 40,80 or one of: brain, subdural, stroke, bone, soft, lung");
  return value;
}

ViewWindow parse_window(const std::string& text) {
  for (const auto& [name, values] : kNamed)
    if (text == name) return {name, static_cast<double>(values.first), static_cast<double>(values.second)};
  const auto comma = text.find(',');
  ViewWindow window{
      "window", number_of(std::string_view(text).substr(0, comma), text),
      number_of(comma == std::string::npos ? std::string_view() : std::string_view(text).substr(comma + 1), text)};
  STRATA_CHECK(window.width > 0, usage, "view", fmt::format("a window of width {}", window.width),
               "give a width above 0");
  return window;
}

std::vector<ViewWindow> parse_windows(const std::vector<std::string>& texts) {
  std::vector<ViewWindow> windows;
  for (const auto& text : texts)
    for (std::size_t at = 0; at <= text.size();) {
      const auto end = std::min(text.find('|', at), text.size());
      windows.push_back(parse_window(text.substr(at, end - at)));
      at = end + 1;
    }
  return windows;
}

ViewStudy read_study(const ViewOptions& options, bool as_stored) {
  std::error_code ignored;
  STRATA_CHECK(std::filesystem::exists(options.path, ignored), data, "view",
               fmt::format("there is no {}", io::printable(options.path, 400)));
  const bool folder = std::filesystem::is_directory(options.path, ignored);
  if (folder && io::is_finished_set(options.path)) return view_shards(options.path, options.study, as_stored);
  if (!folder && io::is_nifti(options.path)) return view_nifti(options.path);
  return view_dicom(options.path, options.study);
}

// The labels of a map at the voxels of a scan, by their places in the patient.
std::vector<std::uint8_t> labels_at(const ViewScan& scan, const study::Volume& map) {
  const auto& g = scan.geometry;
  const study::Vec3 zero = study::index_of(map.geometry, {0, 0, 0});
  std::array<study::Vec3, 3> columns{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    study::Vec3 unit{};
    unit[axis] = 1;
    columns[axis] = study::index_of(map.geometry, unit);
    for (std::size_t i = 0; i < 3; ++i) columns[axis][i] -= zero[i];
  }
  const auto index_at = [&](const study::Vec3& p) {
    study::Extents3 index{};
    for (std::size_t i = 0; i < 3; ++i)
      index[i] = std::llround(zero[i] + p[0] * columns[0][i] + p[1] * columns[1][i] + p[2] * columns[2][i]);
    return index;
  };
  std::vector<std::uint8_t> labels(scan.voxels.size());
  std::size_t at = 0;
  for (std::int64_t d = 0; d < g.extents[0]; ++d)
    for (std::int64_t h = 0; h < g.extents[1]; ++h)
      for (std::int64_t w = 0; w < g.extents[2]; ++w, ++at) {
        study::Vec3 p = scan.origins.empty() ? study::position_of(g, {static_cast<double>(d), 0, 0})
                                             : scan.origins[static_cast<std::size_t>(d)];
        for (std::size_t i = 0; i < 3; ++i)
          p[i] += static_cast<double>(h) * g.steps[1][i] + static_cast<double>(w) * g.steps[2][i];
        const auto index = index_at(p);
        const auto& e = map.geometry.extents;
        if (index[0] < 0 || index[1] < 0 || index[2] < 0 || index[0] >= e[0] || index[1] >= e[1] || index[2] >= e[2])
          continue;
        const auto label = static_cast<std::int64_t>(
            map.voxels[static_cast<std::size_t>((index[0] * e[1] + index[1]) * e[2] + index[2])]);
        if (label > 0) labels[at] = static_cast<std::uint8_t>((label - 1) % 255 + 1);
      }
  return labels;
}

void view(const ViewOptions& options) {
  STRATA_CHECK(options.to.ends_with(".png"), usage, "view",
               fmt::format("cannot write {}", io::printable(options.to, 400)), "end it in .png");
  const auto windows = parse_windows(options.windows);
  const ViewStudy study = read_study(options, windows.empty());
  std::vector<std::vector<std::uint8_t>> labels(study.scans.size());
  if (!options.overlay.empty()) {
    const io::LabelMap map = io::read_nifti_labels(options.overlay);
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = labels_at(study.scans[i], map.volume);
  }
  std::vector<io::MontageRow> rows;
  for (std::size_t i = 0; i < study.scans.size(); ++i) {
    const ViewScan& scan = study.scans[i];
    for (const auto& window : windows.empty() ? scan.shown : windows)
      rows.push_back(
          {.geometry = scan.geometry,
           .voxels = scan.voxels,
           .black = window.centre - window.width / 2,
           .white = window.centre + window.width / 2,
           .caption = fmt::format("{} - {} C {:.4g} W {:.4g}", scan.caption, window.name, window.centre, window.width),
           .labels = labels[i]});
  }
  const io::Image image = io::montage(rows, study.title, options.montage);
  io::write_png(options.to, image);
  for (const auto& note : study.notes) fmt::print("{}\n", note);
  fmt::print("{}: {} rows, {} x {} pixels in {}\n", study.title, rows.size(), image.width, image.height,
             io::printable(options.to, 400));
}

}  // namespace

Action add_view(CLI::App& parser) {
  const auto options = std::make_shared<ViewOptions>();
  parser.add_option("path", options->path, "a shard set, a folder of DICOM files, or a NIfTI file")
      ->required()
      ->type_name("PATH");
  parser.add_option("--to", options->to, "the picture, .png")->required()->type_name("OUT");
  parser.add_option("--study", options->study, "which study: a number from 0 on, its key, its UID or accession number")
      ->type_name("KEY|N");
  parser
      .add_option("--window", options->windows,
                  "CENTRE,WIDTH or brain, subdural, stroke, bone, soft, lung; several: a row each (or C,W|C,W)")
      ->type_name("C,W");
  parser.add_option("--slices", options->montage.slices, "of each scan, evenly spaced")
      ->capture_default_str()
      ->type_name("K");
  parser.add_option("--columns", options->montage.columns, "slices beside each other")
      ->capture_default_str()
      ->type_name("N");
  parser.add_option("--tile", options->montage.tile, "pixels of a slice's longer side")
      ->capture_default_str()
      ->type_name("PIXELS");
  parser.add_option("--overlay", options->overlay, "label map (NIfTI) to colour the voxels by")->type_name("FILE");
  return [options] { view(*options); };
}

}  // namespace strata::app
