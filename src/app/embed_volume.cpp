// SPDX-License-Identifier: Apache-2.0
#include "app/embed_volume.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <filesystem>

#include "app/wiring.hpp"
#include "io/npy/npy.hpp"
#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"
#include "strata/ops/l2_normalize.hpp"

namespace strata::app {
namespace {

// Asked before the work, not after it.
void check_output(const std::string& path) {
  STRATA_CHECK(path.ends_with(".npy") || path.ends_with(".safetensors"), usage, "embed",
               fmt::format("cannot tell from {} how to write", io::printable(path, 400)),
               "end it in .npy or .safetensors");
  const auto folder = std::filesystem::path(path).parent_path();
  STRATA_CHECK(folder.empty() || std::filesystem::is_directory(folder), environment, "embed",
               fmt::format("there is no folder {}", io::printable(folder.string(), 400)), "create the folder first");
}

Tensor embed_study(Context& ctx, models::HlipVisualEncoder& model, const models::StudyBatch& batch, bool features) {
  autograd::Tape tape(ctx, {.record = false, .training = false});
  const autograd::Variable feature = model.forward(tape, batch);
  return ctx.download(features ? feature.value() : tape.apply1(ops::L2Normalize{}, {feature}).value());
}

// [B, width], or [B, e, width] for heads with e embeddings a study.
Tensor embed_all(Context& ctx, models::HlipVisualEncoder& model, const Tensor& volume,
                 const EmbedVolumeOptions& options) {
  Tensor all;
  for (std::int64_t b = 0; b < volume.dim(0); ++b) {
    const Tensor one = embed_study(ctx, model, study_batch(ctx, volume, b, options.intensity), options.features);
    if (!all.defined()) all = host_tensor(one.dtype(), one.shape().with(0, volume.dim(0)));
    const auto broken = io::first_non_finite(one);
    STRATA_CHECK(!broken, numeric, "embed", fmt::format("the embedding of study {} is NaN or infinite", b),
                 "the weights do not fit these voxels");
    std::memcpy(static_cast<std::byte*>(all.raw()) + static_cast<std::size_t>(b) * one.bytes(), one.raw(), one.bytes());
  }
  return all;
}

void write_embeddings(const std::string& path, const Tensor& embeddings) {
  if (path.ends_with(".npy")) return io::write_npy(path, embeddings);
  StateDict state;
  state.add("embedding", embeddings);
  io::write_safetensors(path, state);
}

}  // namespace

void embed_volume(const EmbedVolumeOptions& options) {
  check_output(options.to);
  const WiredBackend wired = wire_backend(options.backend, {.threads = options.threads});
  Context ctx = wired.context();
  const Tensor volume = read_volume(options.volume, options.tensor, options.intensity);
  const auto model = load_encoder(ctx, io::SafetensorsFile(options.model), options.file);
  const auto begin = std::chrono::steady_clock::now();
  const Tensor embeddings = embed_all(ctx, *model, volume, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  write_embeddings(options.to, embeddings);
  fmt::print("{} {} of {} {} in {:.2f} s on {}: {} {}\n", volume.dim(0), volume.dim(0) == 1 ? "study" : "studies",
             volume.dim(1), volume.dim(1) == 1 ? "scan" : "scans", seconds.count(), wired.backend()->name(),
             io::printable(options.to, 400), embeddings.spec().str());
}

}  // namespace strata::app
