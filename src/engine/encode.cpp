// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"
#include "strata/ops/copy.hpp"

namespace strata::engine {
namespace {

// FNV-1a over pieces, a text's end included, so that ("a b", "c") and ("a", "b c") differ.
void hash_text(std::uint64_t& hash, const models::TextBatch& texts, std::size_t text) {
  const auto add = [&hash](std::uint64_t word) { hash = (hash ^ word) * 0x100000001b3ull; };
  for (auto i = texts.offsets[text]; i < texts.offsets[text + 1]; ++i)
    add(static_cast<std::uint64_t>(texts.ids[static_cast<std::size_t>(i)]));
  add(~std::uint64_t{0});
}

// What this rank has done: features of its studies side by side, in the order in which they came.
class Share {
 public:
  Share(Context& ctx, objectives::ImageTextObjective& model, const TextReading& reading)
      : ctx_(ctx), model_(model), reading_(reading) {
    reading_.draws.reset();
    features_ = model.pairs() * (reading_.tokenizer ? 2 : 1);
    width_ = model.visual().embedding_width();
  }

  void add(const data::Batch& batch) {
    const objectives::MicroBatch micro = micro_batch(ctx_, batch, reading_);
    autograd::Tape tape(ctx_, {.record = false, .training = false});
    const auto features = reading_.tokenizer ? model_.encode(tape, micro) : model_.encode_images(tape, micro.studies);
    std::vector<Tensor> hosts;
    for (const auto& feature : features) {
      const Tensor dense =
          feature.value().is_dense() ? feature.value() : ops::run1(ctx_, ops::Copy{}, {feature.value()});
      hosts.push_back(io::convert_floating(ctx_.download(dense), DType::f32));
      judge(hosts.back(), batch);
    }
    for (std::int64_t b = 0; b < batch.studies(); ++b) add_study(batch, micro, hosts, b);
  }

  std::vector<float> rows;            // [n, features, C]
  std::vector<std::int64_t> numbers;  // [n, 2] ordinal, hash of the texts
  std::int64_t studies() const { return static_cast<std::int64_t>(numbers.size()) / 2; }
  std::int64_t features() const { return features_; }
  std::int64_t width() const { return width_; }

 private:
  void judge(const Tensor& feature, const data::Batch& batch) const {
    const auto broken = io::first_non_finite(feature);
    STRATA_CHECK(!broken, numeric, "encode",
                 fmt::format("the embedding of study {} is NaN or infinite",
                             io::printable(batch.keys[static_cast<std::size_t>(*broken / width_)], 100)),
                 "the weights do not fit these voxels, or training had left the rails before they were saved");
  }

  void add_study(const data::Batch& batch, const objectives::MicroBatch& micro, const std::vector<Tensor>& hosts,
                 std::int64_t b) {
    for (const Tensor& host : hosts) {
      const float* row = host.data<float>() + b * width_;
      rows.insert(rows.end(), row, row + width_);
    }
    std::uint64_t hash = 0xcbf29ce484222325ull;
    for (const auto& texts : micro.texts) hash_text(hash, texts, static_cast<std::size_t>(b));
    numbers.push_back(batch.ordinals[static_cast<std::size_t>(b)]);
    numbers.push_back(static_cast<std::int64_t>(hash));
  }

  Context& ctx_;
  objectives::ImageTextObjective& model_;
  TextReading reading_;
  std::int64_t features_ = 0, width_ = 0;
};

// Ranks' rows one behind the other.
template <class T>
std::vector<T> gather_rows(comm::Communicator& world, std::vector<T>& mine, const comm::Counts& counts,
                           std::int64_t width) {
  const std::int64_t n = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  std::vector<T> all(static_cast<std::size_t>(n * width));
  const std::int64_t rows = counts[static_cast<std::size_t>(world.rank())];
  if (n > 0)
    world
        .all_gather(Tensor::borrow(mine.data(), dtype_of<T>, {rows, width}),
                    Tensor::borrow(all.data(), dtype_of<T>, {n, width}), {}, counts)
        .wait();
  return all;
}

comm::Counts gather_counts(comm::Communicator& world, std::int64_t mine) {
  comm::Counts counts(static_cast<std::size_t>(world.size()));
  world
      .all_gather(Tensor::borrow(&mine, DType::i64, {1}),
                  Tensor::borrow(counts.data(), DType::i64, {static_cast<std::int64_t>(world.size())}))
      .wait();
  return counts;
}

void put_row(const Tensor& into, std::int64_t place, const float* row, std::int64_t width) {
  std::memcpy(into.data<float>() + place * width, row, static_cast<std::size_t>(width) * sizeof(float));
}

// Every rank has the table of all sets: what is no feature needs no exchange.
EncodedStudies empty_studies(const data::Mixture& mixture) {
  EncodedStudies result;
  result.label_names = mixture.label_names();
  const std::size_t columns = result.label_names.size();
  for (std::int64_t position = 0; position < mixture.studies(); ++position) {
    const data::StudyRef ref = mixture.at(position);
    result.keys.emplace_back(mixture.source(ref.set).key(ref.study));
    result.sets.push_back(ref.set);
    result.labels.resize(result.labels.size() + columns);
    mixture.labels(ref, std::span(result.labels).last(columns));
  }
  return result;
}

void place_features(EncodedStudies& into, const std::vector<float>& rows, const std::vector<std::int64_t>& numbers,
                    std::int64_t pairs, const Share& share) {
  const std::int64_t n = into.studies(), width = share.width(), features = share.features();
  STRATA_CHECK(static_cast<std::int64_t>(numbers.size()) == 2 * n, internal, "encode",
               fmt::format("{} of {} studies came back", numbers.size() / 2, n));
  into.images = host_tensor(DType::f32, {n, pairs, width});
  for (std::int64_t t = pairs; t < features; ++t) into.texts.push_back(host_tensor(DType::f32, {n, width}));
  if (features > pairs) into.readings.resize(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t place = numbers[static_cast<std::size_t>(2 * i)];
    const float* row = rows.data() + i * features * width;
    put_row(into.images, place, row, pairs * width);
    for (std::int64_t t = pairs; t < features; ++t)
      put_row(into.texts[static_cast<std::size_t>(t - pairs)], place, row + t * width, width);
    if (features > pairs)
      into.readings[static_cast<std::size_t>(place)] =
          static_cast<std::uint64_t>(numbers[static_cast<std::size_t>(2 * i + 1)]);
  }
}

// Rows of a dense tensor on the host.
Tensor rows_of(const Tensor& tensor, const std::vector<std::int64_t>& which) {
  const Tensor result = host_tensor(tensor.dtype(), tensor.shape().with(0, static_cast<std::int64_t>(which.size())));
  const std::int64_t row = tensor.numel() / std::max<std::int64_t>(1, tensor.dim(0));
  for (std::size_t i = 0; i < which.size(); ++i)
    put_row(result, static_cast<std::int64_t>(i), tensor.data<float>() + which[i] * row, row);
  return result;
}

}  // namespace

EncodedStudies some_of(const EncodedStudies& studies, const std::vector<std::int64_t>& which) {
  EncodedStudies result;
  result.images = rows_of(studies.images, which);
  for (const Tensor& text : studies.texts) result.texts.push_back(rows_of(text, which));
  result.label_names = studies.label_names;
  const auto columns = static_cast<std::ptrdiff_t>(studies.label_names.size());
  for (const std::int64_t place : which) {
    const auto at = static_cast<std::size_t>(place);
    result.keys.push_back(studies.keys[at]);
    result.sets.push_back(studies.sets[at]);
    if (!studies.readings.empty()) result.readings.push_back(studies.readings[at]);
    const auto row = studies.labels.begin() + place * columns;
    result.labels.insert(result.labels.end(), row, row + columns);
  }
  return result;
}

EncodedStudies encode_studies(Context& ctx, objectives::ImageTextObjective& model, data::Loader& loader,
                              const TextReading& reading, comm::Communicator& world,
                              const std::function<void(std::int64_t done)>& progress) {
  const data::LoaderOptions& options = loader.options();
  STRATA_CHECK(
      options.order == data::StudyOrder::sequential && options.rank == world.rank() && options.ranks == world.size(),
      internal, "encode",
      fmt::format("a loader for rank {} of {} on rank {} of {}", options.rank, options.ranks, world.rank(),
                  world.size()));
  loader.seek({options.seed, 0});
  Share share(ctx, model, reading);
  while (const auto batch = loader.next()) {
    if (!batch->empty()) share.add(*batch);
    if (progress) progress(share.studies());
  }
  const comm::Counts counts = gather_counts(world, share.studies());
  const auto rows = gather_rows(world, share.rows, counts, share.features() * share.width());
  const auto numbers = gather_rows(world, share.numbers, counts, 2);
  EncodedStudies result = empty_studies(loader.mixture());
  place_features(result, rows, numbers, model.pairs(), share);
  return result;
}

}  // namespace strata::engine
