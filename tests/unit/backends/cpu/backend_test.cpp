// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/backend.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "backends/cpu/cpu.hpp"
#include "strata/base/error.hpp"
#include "strata/runtime/host_backend.hpp"

namespace strata {
namespace {

TEST(CpuBackend, TakesOptions) {
  const auto backend = make_cpu_backend({.threads = 3, .isa = CpuIsa::baseline});
  EXPECT_EQ(cpu_threads(*backend), 3);
  EXPECT_EQ(cpu_isa(*backend), CpuIsa::baseline);
  EXPECT_EQ(backend->name(), "cpu");
  EXPECT_GE(cpu_threads(*make_cpu_backend()), 1);
  EXPECT_THROW(make_cpu_backend({.threads = -1}), Error);
}

TEST(CpuBackend, EnvironmentChoosesTheInstructionSet) {
  const char* before = std::getenv("STRATA_CPU_ISA");
  const std::string kept = before == nullptr ? "" : before;
  setenv("STRATA_CPU_ISA", "baseline", 1);
  EXPECT_EQ(cpu_isa(*make_cpu_backend()), CpuIsa::baseline);
  EXPECT_EQ(cpu_isa(*make_cpu_backend({.isa = cpu_features().best})), cpu_features().best)
      << "an option outranks the environment";
  setenv("STRATA_CPU_ISA", "avx51", 1);
  try {
    make_cpu_backend();
    ADD_FAILURE() << "an unknown instruction set was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.hint().find("avx512"), std::string::npos) << error.what();
  }
  kept.empty() ? unsetenv("STRATA_CPU_ISA") : setenv("STRATA_CPU_ISA", kept.c_str(), 1);
}

TEST(CpuBackend, RefusesAnotherBackendsContext) { EXPECT_THROW(cpu::cpu_backend(*make_host_backend("other")), Error); }

TEST(CpuFeatures, NamesTheMachine) {
  const auto features = cpu_features();
  EXPECT_GE(features.processors, 1);
  for (int i = 0; i < kCpuIsaCount; ++i)
    EXPECT_EQ(parse_cpu_isa(name_of(static_cast<CpuIsa>(i))), static_cast<CpuIsa>(i));
  EXPECT_FALSE(onednn_version().empty());
}

}  // namespace
}  // namespace strata
