// SPDX-License-Identifier: Apache-2.0
//
// The plans that attention asks cuDNN for, compiled for devices that are not here: cuDNN accepts the graphs, layouts
// and ragged offsets of every kind of work that attention_choice.hpp sends to it, and takes the memory that was
// reckoned with. Whether the kernels compute attention only a device can say.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "backends/cuda/cudnn_attention.hpp"

namespace strata::cuda {
namespace {

struct Machine {
  const char* name;
  int major, version;  // version: compute capability × 100
  int multiprocessors, shared_bytes;
  Descriptor description() const;
};
constexpr Machine kHopper{"NVIDIA H200", 9, 900, 132, 232448}, kAmpere{"NVIDIA A100-SXM4-80GB", 8, 800, 108, 166912};

Descriptor Machine::description() const {
  return device_description(
      R"({"cudaDeviceId":0,"driverVer":13000,"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],)"
      R"("regsPerBlock":65536,"warpSize":32,"maxSharedMemoryPerBlock":49152,"reservedSharedMemoryPerBlock":1024,)"
      R"("maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"pciDeviceId":0,)"
      R"("isTccDriver":0,"supportCoopLaunch":1,"smClockRateKHz":1980000,"memClockRateKHz":3201000,)"
      R"("l2CacheSize":62914560,"totalGlobalMem":85899345920,"deviceName":")" +
      std::string(name) + R"(","deviceVer":)" + std::to_string(version) + R"(,"multiProcessorCount":)" +
      std::to_string(multiprocessors) + R"(,"maxSharedMemoryPerBlockOptin":)" + std::to_string(shared_bytes) + "}");
}

// The keys of all runs of one op, q, k and v column blocks of one matrix.
std::vector<AttentionKey> keys_of(const AttentionSizes& sizes, bool backward, const AttentionSetting& setting) {
  const AttentionChoice choice = choose_attention(sizes, backward, setting);
  EXPECT_TRUE(choice.served);
  AttentionKey key{.backward = backward,
                   .ragged = choice.ragged,
                   .exact = setting.exact || !backward,
                   .queries = choice.queries,
                   .keys = choice.keys,
                   .heads = choice.heads,
                   .head_width = sizes.head_width};
  const std::int64_t width = sizes.heads * sizes.head_width;
  for (const auto id : {kQuery, kKey, kValue, kQueryGradient, kKeyGradient, kValueGradient}) key.rows[id] = 3 * width;
  for (const auto id : {kOutput, kOutputGradient}) key.rows[id] = width;
  for (const auto id : {kStatistics, kDeltas}) key.rows[id] = sizes.heads;
  key.rows[kQueryAccumulator] = choice.heads * sizes.head_width;
  std::vector<AttentionKey> keys;
  for (const auto segments : choice.segments) {
    key.segments = segments;
    if (keys.empty() || keys.back() != key) keys.push_back(key);
  }
  return keys;
}

class Plans : public testing::Test {
 protected:
  void SetUp() override {
    if (dlopen("libcuda.so.1", RTLD_LAZY) == nullptr)
      GTEST_SKIP() << "no driver's library, not even the empty one: run by ctest, which shows it";
  }

  static void accepts(const Machine& machine, const AttentionSizes& sizes, bool exact = true) {
    const AttentionSetting setting{machine.major, cudnnGetVersion(), exact};
    const Descriptor device = machine.description();
    for (const bool backward : {false, true}) {
      SCOPED_TRACE(backward ? "backward" : "forward");
      for (const auto& key : keys_of(sizes, backward, setting)) {
        try {
          const CudnnPlan plan(attention_graph(key), device);
          const std::int64_t scores =
              backward && exact ? key.segments * key.heads * score_bytes(key.queries, key.keys) : 0;
          EXPECT_LE(plan.workspace(), scores + (std::int64_t{64} << 20)) << "more than was reckoned with";
        } catch (const Refused& refused) {
          ADD_FAILURE() << refused.why;
        }
      }
    }
  }
};

TEST_F(Plans, EqualSegments) {
  for (const auto& machine : {kHopper, kAmpere}) {
    SCOPED_TRACE(machine.name);
    accepts(machine, {64, 64 * 50, 64 * 50, 50, 50, 12, 64});
    accepts(machine, {5, 5 * 197, 5 * 197, 197, 197, 12, 64});
    accepts(machine, {1, 1177, 1177, 1177, 1177, 12, 64});
  }
}

TEST_F(Plans, EqualSegmentsOfOtherLengthsAndHeads) {
  accepts(kHopper, {8, 8, 8 * 77, 1, 77, 12, 64});
  accepts(kHopper, {8, 8 * 77, 8, 77, 1, 12, 64});
  accepts(kHopper, {4, 4 * 100, 4 * 77, 100, 77, 6, 128});
  accepts(kHopper, {4, 4 * 100, 4 * 77, 100, 77, 4, 8});
  accepts(kHopper, {4, 4 * 100, 4 * 77, 100, 77, 4, 72});
}

TEST_F(Plans, LongSegments) {
  accepts(kHopper, {1, 9409, 9409, 9409, 9409, 12, 64});
  accepts(kHopper, {1, 47041, 47041, 47041, 47041, 12, 64});
}

TEST_F(Plans, RaggedSegments) {
  accepts(kHopper, {37, 9000, 9000, 1177, 1177, 12, 64});
  accepts(kHopper, {3, 20000, 500, 9409, 197, 12, 64});
  accepts(kHopper, {6400, 200000, 200000, 50, 50, 6, 48});
}

TEST_F(Plans, WithoutExactGradients) {
  accepts(kHopper, {64, 64 * 50, 64 * 50, 50, 50, 12, 64}, false);
  accepts(kHopper, {37, 9000, 9000, 1177, 1177, 12, 64}, false);
  accepts(kHopper, {1, 47041, 47041, 47041, 47041, 12, 64}, false);
}

}  // namespace
}  // namespace strata::cuda
