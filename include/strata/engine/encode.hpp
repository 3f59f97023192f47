// SPDX-License-Identifier: Apache-2.0
//
// Every study of an evaluation once through the image tower (and its report through the text tower), on all ranks, the
// result on all ranks in the order of the sets. What evaluation, embedding and export of features build on. Memory on
// each rank: the features of all n studies, n · (e + texts) · C floats, and twice that while they are gathered.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"
#include "strata/data/loader.hpp"
#include "strata/engine/micro_batch.hpp"
#include "strata/objectives/image_text.hpp"

namespace strata::engine {

struct EncodedStudies {
  Tensor images;              // [n, e, C] f32 on the host, as the head gives them: not normalised
  std::vector<Tensor> texts;  // [e] each [n, C]; empty where texts were not asked for
  // [n] equal where all texts of two studies have the same pieces (a hash of them); empty without texts.
  std::vector<std::uint64_t> readings;
  std::vector<std::string> keys;         // [n] pseudonyms
  std::vector<std::int64_t> sets;        // [n] index of the set in the mixture
  std::vector<std::string> label_names;  // [L]
  std::vector<float> labels;             // [n, L], NaN: not known

  std::int64_t studies() const { return static_cast<std::int64_t>(keys.size()); }
};

// `loader` is sequential and shares its ranks with `world`; it is rewound first. `reading` without a tokenizer: images
// alone; sentences are never shuffled. `progress` hears of the studies done by this rank. An embedding that is NaN or
// infinite: numeric error that names the study. Collective.
EncodedStudies encode_studies(Context& ctx, objectives::ImageTextObjective& model, data::Loader& loader,
                              const TextReading& reading, comm::Communicator& world,
                              const std::function<void(std::int64_t done)>& progress = {});

// Some of them, in this order.
EncodedStudies some_of(const EncodedStudies& studies, const std::vector<std::int64_t>& which);

}  // namespace strata::engine
