// SPDX-License-Identifier: Apache-2.0
// strata phantom: synthetic head-CT studies as DICOM files, with reports and labels. Ranks share the work.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "app/command.hpp"
#include "io/nifti/write.hpp"
#include "io/phantom/phantom.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/io/text.hpp"
#include "strata/runtime/context.hpp"

namespace strata::app {
namespace {

constexpr const char* kTable = "labels.csv";

// Quoted as RFC 4180 has it.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// One line a study: whom it belongs to, the report as one text, a column a label.
void write_table(const std::string& path, const phantom::Options& options) {
  io::OutputFile file("phantom", path);
  const bool splits = options.test > 0;
  file.write(fmt::format("accession_number,study_uid,patient_id,{}report,{}\r\n", splits ? "split," : "",
                         fmt::join(phantom::label_names(), ",")));
  for (std::int64_t i = 0; i < options.studies; ++i) {
    const phantom::Row row = phantom::describe(options, i);
    file.write(fmt::format("{},{},{},{}{},{}\r\n", row.accession_number, row.study_uid, row.patient_id,
                           splits ? row.split + "," : std::string(),
                           quoted(fmt::format("{}", fmt::join(row.report, " "))), fmt::join(row.labels, ",")));
  }
  file.commit();
}

void prepare(const std::string& folder, bool masks) {
  const std::filesystem::path path(folder);
  std::error_code error;
  std::filesystem::create_directories(masks ? path / "masks" : path, error);
  STRATA_CHECK(!error, environment, "phantom",
               fmt::format("the folder {} could not be made: {}", io::printable(folder, 400), error.message()),
               "give another --to");
  STRATA_CHECK(!std::filesystem::exists(path / kTable), usage, "phantom",
               fmt::format("{} holds phantoms already", io::printable(folder, 400)),
               "give another --to, or remove that folder");
}

// The lesions of the thick series on its own grid, numbered as phantom::lesion_kinds() from 1. Uneven slices have no
// grid that NIfTI could say: none then.
void write_mask(const std::string& path, const phantom::Options& options, std::int64_t index) {
  const phantom::Drawn drawn = phantom::draw_series(options, index, phantom::SeriesKind::thick);
  const auto& stack = drawn.stack;
  study::Geometry geometry{
      .extents = {stack.slices(), stack.height, stack.width}, .origin = stack.origins.front(), .steps = {}};
  geometry.steps = {study::Vec3{}, stack.step_h, stack.step_w};
  for (std::size_t i = 0; i < 3; ++i) geometry.steps[0][i] = stack.origins[1][i] - stack.origins[0][i];
  for (std::size_t k = 1; k < stack.origins.size(); ++k)
    if (std::abs(stack.origins[k][2] - stack.origins[k - 1][2] - geometry.steps[0][2]) > 0.02) return;
  io::write_nifti(path, geometry, std::span<const std::uint8_t>(drawn.lesions));
}

Tensor counts_of(const phantom::Written& written) {
  Tensor counts = host_tensor(DType::f64, {3});
  auto* values = static_cast<double*>(counts.raw());
  values[0] = static_cast<double>(written.series);
  values[1] = static_cast<double>(written.files);
  values[2] = static_cast<double>(written.bytes);
  return counts;
}

// On a terminal alone, at most twice a second.
class Progress {
 public:
  void tell(std::int64_t done, std::int64_t all) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal_ || now < next_) return;
    next_ = now + std::chrono::milliseconds(500);
    fmt::print(stderr, "\rstudy {} of {} ", done, all);
    told_ = true;
  }
  void end() const {
    if (told_) fmt::print(stderr, "\n");
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) != 0, told_ = false;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
};

void write_phantoms(comm::Communicator& world, const phantom::Options& options, const std::string& folder, bool masks) {
  const auto begin = std::chrono::steady_clock::now();
  if (world.rank() == 0) prepare(folder, masks);
  world.barrier().wait();
  phantom::Written all;
  Progress progress;
  for (std::int64_t i = world.rank(); i < options.studies; i += world.size()) {
    const auto written = phantom::write_study(options, i, folder + "/dicom");
    if (masks) write_mask(fmt::format("{}/masks/{:06d}.nii", folder, i), options, i);
    all.series += written.series;
    all.files += written.files;
    all.bytes += written.bytes;
    if (world.rank() == 0) progress.tell(i + 1, options.studies);
  }
  progress.end();
  const Tensor counts = counts_of(all);
  world.all_reduce(counts).wait();
  if (world.rank() != 0) return;
  write_table(folder + "/" + kTable, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const auto* values = static_cast<const double*>(counts.raw());
  fmt::print("{} studies, {:.0f} series, {:.0f} files, {:.1f} MB in {:.1f} s on {} {}: {}\n", options.studies,
             values[0], values[1], values[2] / 1e6, seconds.count(), world.size(), world.size() == 1 ? "rank" : "ranks",
             io::printable(folder, 400));
}

void add_share(CLI::App& parser, const char* name, double& value, const char* help) {
  parser.add_option(name, value, help)->capture_default_str()->type_name("SHARE");
}

}  // namespace

Action add_phantom(CLI::App& parser) {
  struct Arguments {
    phantom::Options phantom;
    std::string to;
    bool masks = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  phantom::Options& options = arguments->phantom;
  parser.add_option("--to", arguments->to, "folder for dicom/ and labels.csv")->required()->type_name("DIR");
  parser.add_option("--studies", options.studies, "how many, 1 to 100,000; a larger set begins with the smaller one")
      ->capture_default_str()
      ->type_name("N");
  parser.add_option("--seed", options.seed, "other seeds give other patients")->capture_default_str()->type_name("N");
  parser.add_option("--matrix", options.matrix, "rows and columns of a slice: 128, 256, 512")
      ->capture_default_str()
      ->type_name("N");
  add_share(parser, "--normal", options.normal, "studies without any finding");
  add_share(parser, "--thin", options.thin, "studies with a series of 1.25 mm slices");
  add_share(parser, "--bone", options.bone, "studies with a bone kernel");
  add_share(parser, "--scout", options.scout, "studies with a localizer");
  add_share(parser, "--dose", options.dose, "studies with a dose page (secondary capture)");
  add_share(parser, "--tilt", options.tilt, "studies with a tilted gantry");
  add_share(parser, "--gaps", options.gaps, "studies with slices 2.5 mm apart below and 5 mm above");
  add_share(parser, "--missing", options.missing, "studies that lack a slice");
  add_share(parser, "--duplicates", options.duplicates, "images that stand in two files");
  add_share(parser, "--broken", options.broken, "studies with a truncated file");
  add_share(parser, "--other-syntax", options.other_syntax,
            "series in other transfer syntaxes than Explicit VR little endian");
  add_share(parser, "--test", options.test, "studies that a column `split` holds out, no patient on both sides");
  parser.add_flag("--masks", arguments->masks, "write the lesions of each thick series to masks/ (NIfTI)");
  return [arguments] {
    phantom::check(arguments->phantom);
    comm::run_world(
        [&](comm::Communicator& world) { write_phantoms(world, arguments->phantom, arguments->to, arguments->masks); });
  };
}

}  // namespace strata::app
