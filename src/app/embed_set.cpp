// SPDX-License-Identifier: Apache-2.0
#include "app/embed_set.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "app/features_file.hpp"
#include "app/image_text_model.hpp"
#include "app/model_file.hpp"
#include "app/study_sets.hpp"
#include "app/wiring.hpp"
#include "build_info.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/together.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kStudiesAStep = 256, kTokens = 16384;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Asked before the work, not after it.
void check_output(const std::string& path) {
  STRATA_CHECK(path.ends_with(".h5") || path.ends_with(".hdf5"), usage, "embed",
               fmt::format("{} does not end in .h5", io::printable(path, 400)),
               "embeddings of a set are an HDF5 file: name it features.h5");
  const auto folder = std::filesystem::path(path).parent_path();
  STRATA_CHECK(folder.empty() || std::filesystem::is_directory(folder), environment, "embed",
               fmt::format("there is no folder {}", io::printable(folder.string(), 400)), "create the folder first");
}

struct Model {
  std::unique_ptr<objectives::ImageTextObjective> objective;
  engine::TextReading reading;
  FeaturesOrigin origin;
};

// The smallest tower that fits: nobody reads its embeddings.
std::unique_ptr<models::BertTextEncoder> no_text_tower(const Context& ctx, std::int64_t joint_width) {
  models::BertConfig config;
  config.name = "none";
  config.vocabulary = config.positions = config.token_types = config.depth = config.heads = 1;
  config.width = config.hidden = 8;
  config.joint_width = joint_width;
  return std::make_unique<models::BertTextEncoder>(ctx, DType::f32, config);
}

Model published(Context& ctx, const EmbedSetOptions& options) {
  STRATA_CHECK(!options.texts, usage, "embed", fmt::format("{} holds weights alone", io::printable(options.model, 400)),
               "reports are embedded with a run's folder or a checkpoint");
  STRATA_CHECK(!options.best, usage, "embed", "--best chooses among the checkpoints of a run",
               "name the run's folder, or leave --best out");
  Model model;
  auto encoder = load_encoder(ctx, io::SafetensorsFile(options.model), options.file);
  const auto width = encoder->embedding_width();
  model.objective = std::make_unique<objectives::ImageTextObjective>(ctx, std::move(encoder), no_text_tower(ctx, width),
                                                                     objectives::ImageTextOptions{});
  return model;
}

Model trained(Context& ctx, comm::Communicator& world, const EmbedSetOptions& options) {
  LoadedModel loaded = load_model(ctx, world, options.model, options.best);
  Model model;
  if (options.texts) model.reading = text_reading(loaded.run, loaded.model);
  model.objective = std::move(loaded.model.objective);
  model.origin.texts["run"] = loaded.run.name;
  model.origin.texts["checkpoint"] = loaded.path;
  model.origin.numbers["step"] = loaded.step;
  return model;
}

// What is packed together follows from the studies alone, so that numbers do not depend on the ranks.
data::LoaderOptions loader_options(const models::HierarchicalVit3dConfig& config, const study::StoredGrid& grid,
                                   const EmbedSetOptions& options, const comm::Communicator& world) {
  data::LoaderOptions loader;
  loader.order = data::StudyOrder::sequential;
  loader.batch_studies = kStudiesAStep;
  loader.max_scans = config.max_scans == 1 ? 1 : 0;  // more scans than a table has rows: it is resampled
  loader.packing.token_budget = options.tokens > 0 ? options.tokens : kTokens;
  loader.packing.tokens_a_scan = 1;
  for (std::size_t axis = 0; axis < 3; ++axis)
    loader.packing.tokens_a_scan *= std::max<std::int64_t>(1, grid.extents[axis] / config.patch[axis]);
  loader.rank = world.rank();
  loader.ranks = world.size();
  return loader;
}

// Of this rank's share, now and then.
class Progress {
 public:
  explicit Progress(bool shown) : shown_(shown) {}
  void operator()(std::int64_t done) {
    if (!shown_ || seconds_since(last_) < 5) return;
    last_ = Clock::now();
    std::fprintf(stderr, "embed: %lld studies of this rank, %.1f a second\n", static_cast<long long>(done),
                 static_cast<double>(done) / seconds_since(begin_));
  }

 private:
  bool shown_;
  Clock::time_point begin_ = Clock::now(), last_ = begin_;
};

void embed(comm::Communicator& world, const EmbedSetOptions& options) {
  StudySets sets(world);
  std::vector<SetSettings> settings;
  std::vector<FeatureSet> named;
  for (const auto& set : options.sets) {
    settings.push_back(parse_set(set));
    named.push_back({set, sets.open(settings.back().path)->profile()});
  }
  const WiredBackend wired = wire_backend(options.backend, {.threads = options.threads});
  Context ctx = wired.context();
  Model model = options.model.ends_with(".safetensors") ? published(ctx, options) : trained(ctx, world, options);
  const auto& tower = dynamic_cast<const models::HlipVisualEncoder&>(model.objective->visual());
  const auto chosen = sets.choose(settings, options.texts);
  data::Loader loader(chosen, loader_options(tower.trunk.config(), chosen.front().source->grid(), options, world));

  const auto begin = Clock::now();
  Progress progress(world.rank() == 0);
  engine::EncodedStudies studies = engine::encode_studies(ctx, *model.objective, loader, model.reading, world,
                                                          [&](std::int64_t done) { progress(done); });
  if (!options.features) {
    normalise_rows(studies.images);
    for (const auto& texts : studies.texts) normalise_rows(texts);
  }
  model.origin.texts["model"] = options.model;
  model.origin.texts["strata"] = fmt::format("{} ({})", build_info::kVersion, build_info::kCommit);
  comm::together(world, [&] {
    if (world.rank() == 0) write_features(options.to, studies, named, !options.features, model.origin);
  });
  if (world.rank() != 0) return;
  fmt::print("{} studies in {:.1f} s on {} {} of {}: {} {}{}\n", studies.studies(), seconds_since(begin), world.size(),
             world.size() == 1 ? "rank" : "ranks", wired.backend()->name(), io::printable(options.to, 400),
             studies.images.spec().str(), options.texts ? ", and as many of reports" : "");
}

}  // namespace

void embed_sets(const EmbedSetOptions& options) {
  check_output(options.to);
  comm::run_world([&](comm::Communicator& world) { embed(world, options); });
}

}  // namespace strata::app
