// SPDX-License-Identifier: Apache-2.0
#include "app/features_file.hpp"

#include <cmath>
#include <cstring>

#include "io/hdf5/file.hpp"
#include "strata/io/file.hpp"

namespace strata::app {
namespace {

namespace h5 = io::hdf5;

h5::Extents extents_of(const Shape& shape) {
  h5::Extents extents;
  for (int axis = 0; axis < shape.ndim(); ++axis) extents.push_back(static_cast<std::uint64_t>(shape[axis]));
  return extents;
}

// [n, e, C]; one embedding a study is [n, C] to those who read it.
void write_rows(h5::File& file, const std::string& name, const Tensor& rows) {
  const Shape shape = rows.dim(1) == 1 ? Shape{rows.dim(0), rows.dim(2)} : rows.shape();
  file.write(name, h5::Element::f32, extents_of(shape), rows.raw());
}

// The texts' embeddings beside one another as the images' are: [n, e, C].
Tensor side_by_side(const std::vector<Tensor>& texts) {
  const auto e = static_cast<std::int64_t>(texts.size());
  const std::int64_t n = texts.front().dim(0), width = texts.front().dim(1);
  Tensor all = host_tensor(DType::f32, {n, e, width});
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t k = 0; k < e; ++k)
      std::memcpy(all.data<float>() + (i * e + k) * width, texts[static_cast<std::size_t>(k)].data<float>() + i * width,
                  static_cast<std::size_t>(width) * sizeof(float));
  return all;
}

void write_labels(h5::File& file, const engine::EncodedStudies& studies) {
  if (studies.label_names.empty()) return;
  file.write_texts("/label_names", studies.label_names);
  file.write("/labels", studies.labels,
             {static_cast<std::uint64_t>(studies.studies()), static_cast<std::uint64_t>(studies.label_names.size())});
}

void write_sets(h5::File& file, const engine::EncodedStudies& studies, const std::vector<FeatureSet>& sets) {
  std::vector<std::string> names, profiles;
  for (const auto& set : sets) {
    names.push_back(set.name);
    profiles.push_back(set.profile);
  }
  file.write_texts("/set_names", names);
  file.write_texts("/set_profiles", profiles);
  file.write("/set", studies.sets, {studies.sets.size()});
}

}  // namespace

void normalise_rows(const Tensor& rows) {
  const std::int64_t width = rows.dim(-1), count = width == 0 ? 0 : rows.numel() / width;
  for (std::int64_t i = 0; i < count; ++i) {
    float* row = rows.data<float>() + i * width;
    double sum = 0;
    for (std::int64_t c = 0; c < width; ++c) sum += static_cast<double>(row[c]) * static_cast<double>(row[c]);
    const double length = std::max(std::sqrt(sum), 1e-12);
    for (std::int64_t c = 0; c < width; ++c) row[c] = static_cast<float>(static_cast<double>(row[c]) / length);
  }
}

void write_features(const std::string& path, const engine::EncodedStudies& studies, const std::vector<FeatureSet>& sets,
                    bool normalised, const FeaturesOrigin& origin) {
  constexpr std::uint64_t kUserBlock = 4096;  // the least that File takes
  h5::SparseImage image;
  h5::File file = h5::File::create(image, path, kUserBlock);
  file.write_attribute("/", "schema", kFeaturesSchema);
  file.write_attribute("/", "studies", studies.studies());
  file.write_attribute("/", "normalised", std::int64_t{normalised ? 1 : 0});
  for (const auto& [name, value] : origin.texts) file.write_attribute("/", name, value);
  for (const auto& [name, value] : origin.numbers) file.write_attribute("/", name, value);
  file.write_texts("/keys", studies.keys);
  write_sets(file, studies, sets);
  write_rows(file, "/embeddings", studies.images);
  if (!studies.texts.empty()) write_rows(file, "/text_embeddings", side_by_side(studies.texts));
  write_labels(file, studies);
  file.close();

  io::OutputFile out("embed", path);
  image.visit(0, image.size(), [&](std::uint64_t, std::span<const std::byte> bytes) { out.write(bytes); });
  out.commit();
}

}  // namespace strata::app
