// SPDX-License-Identifier: Apache-2.0
//
// Times every op case that states its bytes and arithmetic, on every backend that has an own kernel for it. Prints,
// never judges.
//   perf_ops --benchmark_filter=softmax --benchmark_format=json
// bytes_per_second and flops are the case's own counts over the measured time; the reference backend is left out (it is
// an oracle, not fast). A device gets many calls before the host waits: what is timed is the device, or the launch
// where that takes longer. STRATA_TEST_BACKEND=cuda leaves the others out.
#include <benchmark/benchmark.h>

#include "tests/conformance/backends.hpp"
#include "tests/conformance/checks.hpp"
#include "tests/conformance/drawn.hpp"

namespace strata::conformance {
namespace {

void time_case(benchmark::State& state, const OpCase& the_case, DType dtype, const TestBackend& backend,
               const TestBackend& oracle) {
  Context ctx = backend.context(), reference = oracle.context();
  const AnyOp op = the_case.op(dtype);
  const auto inputs = make_inputs(the_case, dtype, ctx, reference, seed_from_environment());
  const auto outputs = make_outputs(the_case, op, ctx, inputs);
  const int calls = ctx.backend().device().kind == DeviceKind::host ? 1 : 64;
  op.run_into(ctx, inputs, outputs);  // chooses algorithms, takes memory
  while (state.KeepRunningBatch(calls)) {
    for (int i = 0; i < calls; ++i) op.run_into(ctx, inputs, outputs);
    ctx.synchronise();
  }
  const auto runs = static_cast<double>(state.iterations());
  const double width = static_cast<double>(size_of(dtype)) / 4;  // cases state the bytes of f32
  state.SetBytesProcessed(static_cast<std::int64_t>(runs * the_case.timed_bytes * width));
  state.counters["flops"] = benchmark::Counter(runs * the_case.timed_flops, benchmark::Counter::kIsRate);
  state.SetLabel(kernel_of(the_case, dtype, backend.table)->kernel);
}

void add_timings(const std::deque<TestBackend>& backends) {
  for (const auto& c : all_cases())
    for (const auto& backend : backends)
      for (const auto dtype : c.dtypes)
        if (c.only_timed() && &backend != &backends.front() && has_own_kernel(c, dtype, backend.table))
          benchmark::RegisterBenchmark((c.name() + "/" + std::string(name_of(dtype)) + "/" + backend.name).c_str(),
                                       [=, &backend, &backends](benchmark::State& state) {
                                         time_case(state, c, dtype, backend, backends.front());
                                       })
              ->UseRealTime();
}

}  // namespace
}  // namespace strata::conformance

int main(int argc, char** argv) {
  const auto backends = strata::conformance::make_backends();
  strata::conformance::add_timings(backends);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
