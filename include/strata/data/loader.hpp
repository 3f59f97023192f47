// SPDX-License-Identifier: Apache-2.0
//
// Studies to micro-batches, ahead of the training loop. Step s is always the studies at positions [s·G, (s+1)·G) of the
// mixture, packed and dealt by packing.hpp: which samples a step has, and every draw, is the same on any number of
// ranks and threads and after any restart, and a rank reads the scans of its own micro-batches alone.
//
// Threads read whole scans straight into the batch's memory, never more than `buffer_bytes` of it: when it is lent out,
// they wait. A loader belongs to one thread, which calls next(); batches may be dropped on any thread and may outlive
// the loader. Reports, labels and order cost a few hundred bytes a study beside that.
//
// Collective sources (StudySource::collective) are read from one thread, one call a collective set and round, in the
// same order on every rank, exactly `kCollectiveDepth` rounds ahead; so all ranks call next(), seek() and the
// destructor equally often. Other sources need no agreement between ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "strata/data/batch.hpp"
#include "strata/data/mixture.hpp"
#include "strata/data/packing.hpp"

namespace strata::data {

// Where buffers come from: null is pageable memory, aligned to pages. A device's wiring gives pinned memory.
struct BufferMemory {
  std::function<void*(std::size_t bytes)> take;  // nullptr: no more
  std::function<void(void* data, std::size_t bytes)> give;
};

struct LoaderOptions {
  std::uint64_t seed = 0;
  // shuffled: training, for ever, draws on. sequential: evaluation, each study once, the first scans of a study, the
  // sentences as they stand.
  StudyOrder order = StudyOrder::shuffled;
  std::int64_t batch_studies = 1;  // G, on all ranks together
  std::int64_t max_scans = 0;      // of a study; 0: all
  bool shuffle_sentences = false;  // in training
  PackingRule packing;

  int rank = 0, ranks = 1;  // that share the global batch

  int threads = 2;                // that read; collective sources: one, whatever stands here
  std::int64_t buffer_bytes = 0;  // most memory for voxels, waiting and lent; 0: four micro-batches
  // RAM for scans that were read: the first ones that come stay for good, since an order that visits every study once
  // an epoch makes the least recently used the next to come. A hit needs the same scan on the same rank, which dealing
  // does not promise: of use on few ranks and on slow file systems. 0: none.
  std::int64_t cache_bytes = 0;
  double patience_seconds = 120;  // for buffers that the caller holds on to, before next() fails
  BufferMemory memory;
};

// All that a loader must remember.
struct LoaderState {
  std::uint64_t seed = 0;
  std::int64_t position = 0;  // of the first study that is still to come; a multiple of G
  bool operator==(const LoaderState&) const = default;
};

struct LoaderStatistics {
  std::int64_t batches = 0, studies = 0, scans = 0;  // handed over
  std::int64_t bytes_read = 0;                       // by the sources
  std::int64_t cache_hits = 0, cache_misses = 0;     // scans; both 0 without a cache
  std::int64_t cache_bytes = 0;                      // held now
  std::int64_t buffer_bytes = 0;                     // held now: waiting, lent, and kept for reuse
  std::int64_t peak_buffer_bytes = 0;
  double seconds_waited = 0;   // in next()
  double seconds_reading = 0;  // of all threads together
};

inline constexpr int kCollectiveDepth = 2;

// A step as every rank sees it.
struct StepPlan {
  struct Study {
    std::int64_t ordinal = 0;
    StudyRef ref;
    std::vector<std::int64_t> scans;  // that stay, ascending
  };
  std::int64_t step = 0;
  std::vector<Study> studies;                     // [G], fewer in the last step of an evaluation
  std::vector<MicroBatch> micro_batches;          // members index `studies`
  std::vector<std::vector<std::int64_t>> rounds;  // [ranks][rounds] micro-batch or -1
};

class Loader {
 public:
  // Reads nothing yet. Usage error for options out of range, and for a `buffer_bytes` that cannot hold two
  // micro-batches of the budget or of the study with the most scans.
  Loader(std::vector<WeightedSet> sets, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  void start();  // begins to read; the first next() does it otherwise
  // This rank's next micro-batch; none after the last step of an evaluation. An error of a read is thrown here, when
  // its batch is due, with the study's key and set, and again by each further call until seek(). The caller holding all
  // memory for `patience_seconds`: timeout error.
  std::optional<Batch> next();

  // After the last batch of a step: its end. Within a step: its beginning, so that going on repeats it whole.
  LoaderState state() const;
  void seek(const LoaderState& state);  // negative, past the end, or not a multiple of G: usage error

  std::int64_t steps() const;  // of an evaluation; -1 in training, which has no end
  StepPlan plan(std::int64_t step) const;
  const Mixture& mixture() const;
  const LoaderOptions& options() const;
  LoaderStatistics statistics() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace strata::data
