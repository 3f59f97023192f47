// SPDX-License-Identifier: Apache-2.0
//
// Kernels of layer_norm.cu.
#pragma once

#include "backends/cuda/rows.cuh"

namespace strata::cuda {

// X: rows; Y: what is normed, and the branch; P: parameters.
template <class X, class Y, class P>
struct Norm {
  using A = Accumulation<X>;
  const X* x;
  const Y* branch;  // or null
  X* sum;           // of the branch and x, where there is one
  const P *gamma, *beta;
  Y* y;
  A *mean, *rstd;
  std::int64_t rows;
  int width;
  A epsilon;
};

// Reads a row, or makes the sum of x and the branch, which is rounded to X; returns where the rest of it is read again.
template <class L, class X, class Y, class P, class A>
__device__ __forceinline__ const X* read_row(const Norm<X, Y, P>& n, std::int64_t begin, A (&row)[L::K][L::V]) {
  const auto read_x = [&](int c, A(&v)[L::V]) { load<L>(n.x + begin, c, n.width, v); };
  for_cached<L>(row, n.width, read_x);
  if (!n.branch) return n.x + begin;
  const auto add_branch = [&](int c, A(&v)[L::V]) {
    A b[L::V];
    load<L>(n.branch + begin, c, n.width, b);
#pragma unroll
    for (int i = 0; i < L::V; ++i) v[i] = widen(narrow<X>(v[i] + b[i]));
  };
  const auto store_sum = [&](int c, A(&v)[L::V]) { store<L>(n.sum + begin, c, n.width, v); };
  for_cached<L>(row, n.width, add_branch);
  for_cached<L>(row, n.width, store_sum);
  for_rest<L>(n.width, [&](int c) {
    A v[L::V];
    read_x(c, v);
    add_branch(c, v);
    store_sum(c, v);
  });
  return n.sum + begin;
}

// y of a row. Loads stand in loops of their own, so that no store keeps them from being made together.
template <class L, class X, class Y, class P, class A, class Read>
__device__ __forceinline__ void write_normed(const Norm<X, Y, P>& n, std::int64_t begin, A (&row)[L::K][L::V], A mean,
                                             A rstd, Read read) {
  const auto normalise = [&](int, A(&v)[L::V]) {
#pragma unroll
    for (int i = 0; i < L::V; ++i) v[i] = (v[i] - mean) * rstd;
  };
  const auto scale = [&](int c, A(&v)[L::V]) {
    A gamma[L::V];
    load<L>(n.gamma, c, n.width, gamma);
#pragma unroll
    for (int i = 0; i < L::V; ++i) v[i] *= gamma[i];
  };
  const auto shift = [&](int c, A(&v)[L::V]) {
    A beta[L::V];
    load<L>(n.beta, c, n.width, beta);
#pragma unroll
    for (int i = 0; i < L::V; ++i) v[i] += beta[i];
  };
  const auto write = [&](int c, A(&v)[L::V]) { store<L>(n.y + begin, c, n.width, v); };
  for_cached<L>(row, n.width, normalise);
  if (n.gamma) for_cached<L>(row, n.width, scale);
  if (n.beta) for_cached<L>(row, n.width, shift);
  for_cached<L>(row, n.width, write);
  for_rest<L>(n.width, [&](int c) {
    A v[L::V];
    read(c, v);
    normalise(c, v);
    if (n.gamma) scale(c, v);
    if (n.beta) shift(c, v);
    write(c, v);
  });
}

template <class L, class X, class Y, class P>
__global__ void norm_rows(Norm<X, Y, P> n) {
  using A = Accumulation<X>;
  const auto columns = static_cast<A>(n.width);
  for (std::int64_t r = first_row<L>(); r < n.rows; r += all_rows<L>()) {
    const std::int64_t begin = r * n.width;
    A row[L::K][L::V];
    const X* normed = read_row<L>(n, begin, row);
    const auto read = [&](int c, A(&v)[L::V]) { load<L>(normed, c, n.width, v); };
    A sum = 0, squares = 0;
    for_packs<L>(row, n.width, read, [&](int, A(&v)[L::V]) {
#pragma unroll
      for (int i = 0; i < L::V; ++i) sum += v[i];
    });
    const A mean = group_sum<L>(sum) / columns;
    for_packs<L>(row, n.width, read, [&](int c, A(&v)[L::V]) {
#pragma unroll
      for (int i = 0; i < L::V; ++i)
        if (in_row<L>(c + i, n.width)) squares += (v[i] - mean) * (v[i] - mean);
    });
    const A rstd = 1 / std::sqrt(group_sum<L>(squares) / columns + n.epsilon);
    if (threadIdx.x % L::G == 0) {
      n.mean[r] = mean;
      n.rstd[r] = rstd;
    }
    write_normed<L>(n, begin, row, mean, rstd, read);
  }
}

template <class X, class Y, class P>
struct NormBack {
  using A = Accumulation<X>;
  const X* x;
  const P* gamma;  // or null
  const A *mean, *rstd;
  const Y* dy;
  const X* residual;  // or null
  X* dx;
  Y* narrowed;  // dx once more; or null
  A* parts;     // [blocks, 2, width]: each block's share of dgamma and dbeta; or null
  std::int64_t rows;
  int width;
};

// Of the columns of a thread's packs, over the rows of its group.
template <class L, class A>
struct ColumnSums {
  A gamma[L::K][L::V] = {}, beta[L::K][L::V] = {};
};

// A pack: V normalised, V of dy.
template <class L, class A>
__device__ __forceinline__ void add_columns(ColumnSums<L, A>& sums, const A (&row)[L::K][2 * L::V], int width) {
#pragma unroll
  for (int k = 0; k < L::K; ++k) {
    if (column<L>(k) >= width) continue;
#pragma unroll
    for (int i = 0; i < L::V; ++i) {
      sums.gamma[k][i] += row[k][i] * row[k][L::V + i];
      sums.beta[k][i] += row[k][L::V + i];
    }
  }
}

// A block's part: its groups' sums in their order.
template <class L, class A>
__device__ __forceinline__ void write_part(ColumnSums<L, A>& sums, A* part, int width) {
  if constexpr (L::G < static_cast<int>(kThreads)) {
    __shared__ A held[2][L::K][L::V][L::G];
    const unsigned groups = blockDim.x / L::G, mine = threadIdx.x / L::G, lane = threadIdx.x % L::G;
    for (unsigned group = 0; group < groups; ++group) {
      if (group == mine) {
#pragma unroll
        for (int k = 0; k < L::K; ++k)
#pragma unroll
          for (int i = 0; i < L::V; ++i) {
            if (group > 0) {
              sums.gamma[k][i] += held[0][k][i][lane];
              sums.beta[k][i] += held[1][k][i][lane];
            }
            held[0][k][i][lane] = sums.gamma[k][i];
            held[1][k][i][lane] = sums.beta[k][i];
          }
      }
      __syncthreads();
    }
    if (mine + 1 != groups) return;
  }
  for_cached<L>(sums.gamma, width, [&](int c, A(&v)[L::V]) { store<L>(part, c, width, v); });
  for_cached<L>(sums.beta, width, [&](int c, A(&v)[L::V]) { store<L>(part + width, c, width, v); });
}

// What a row's packs go through, in this order; of the packs of the rest, which are read twice, each time anew.
template <class L, class X, class Y, class P>
struct BackSteps {
  using A = Accumulation<X>;
  static constexpr int V = L::V;
  const NormBack<X, Y, P>& n;
  std::int64_t begin;
  A mean, rstd, plain = 0, weighted = 0;  // averages of g and of g · x̂, at first their sums

  // x̂ and dy
  __device__ __forceinline__ void read(int c, A (&v)[2 * V]) const {
    load<L>(n.x + begin, c, n.width, v);
    load<L>(n.dy + begin, c, n.width, v, V);
  }
  __device__ __forceinline__ void normalise(A (&v)[2 * V]) const {
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] = (v[i] - mean) * rstd;
  }
  // dy becomes g
  __device__ __forceinline__ void scale(int c, A (&v)[2 * V]) const {
    A gamma[V];
    load<L>(n.gamma, c, n.width, gamma);
#pragma unroll
    for (int i = 0; i < V; ++i) v[V + i] *= gamma[i];
  }
  __device__ __forceinline__ void sum(const A (&v)[2 * V]) {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      plain += v[V + i];
      weighted += v[V + i] * v[i];
    }
  }
  __device__ __forceinline__ void average() {
    A both[2] = {plain, weighted};
    group_reduce<L::G>(both, [](A a, A b) { return a + b; });
    plain = both[0] / static_cast<A>(n.width);
    weighted = both[1] / static_cast<A>(n.width);
  }
  // x̂ becomes dx
  __device__ __forceinline__ void differentiate(A (&v)[2 * V]) const {
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] = rstd * (v[V + i] - plain - v[i] * weighted);
  }
  __device__ __forceinline__ void add_residual(const A (&residual)[V], A (&v)[2 * V]) const {
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] += residual[i];
  }
  __device__ __forceinline__ void write(int c, const A (&v)[2 * V]) const {
    store<L>(n.dx + begin, c, n.width, v);
    if (n.narrowed) store<L>(n.narrowed + begin, c, n.width, v);
  }
};

// All loads of a row are made before anything is done with one of them. A group that has no row left goes along with
// one of no columns.
template <class L, class X, class Y, class P>
__global__ void __launch_bounds__(kThreads, L::G > 128 ? 2 : 3) norm_backward_rows(NormBack<X, Y, P> n) {
  using A = Accumulation<X>;
  constexpr int V = L::V;
  A* part = n.parts ? n.parts + static_cast<std::int64_t>(blockIdx.x) * 2 * n.width : nullptr;
  ColumnSums<L, A> sums;
  const std::int64_t first = first_row<L>(), group = L::G > 32 ? threadIdx.x / L::G : 0;
  for (std::int64_t r = first; r - group < n.rows; r += all_rows<L>()) {
    const bool own = r < n.rows;
    const int width = own ? n.width : 0;
    BackSteps<L, X, Y, P> steps{n, r * n.width, own ? n.mean[r] : A{0}, own ? n.rstd[r] : A{0}};
    A row[L::K][2 * V], residual[L::K][V];
    if (n.residual)
      for_cached<L>(residual, width, [&](int c, A(&v)[V]) { load<L>(n.residual + steps.begin, c, width, v); });
    for_cached<L>(row, width, [&](int c, A(&v)[2 * V]) { steps.read(c, v); });
    for_cached<L>(row, width, [&](int, A(&v)[2 * V]) { steps.normalise(v); });
    if (part) add_columns<L>(sums, row, width);
    if (n.gamma) for_cached<L>(row, width, [&](int c, A(&v)[2 * V]) { steps.scale(c, v); });
    for_cached<L>(row, width, [&](int, A(&v)[2 * V]) { steps.sum(v); });
    for_rest<L>(width, [&](int c) {
      A v[2 * L::V];
      steps.read(c, v);
      steps.normalise(v);
      if (part)
        for (int i = 0; i < V; ++i)
          if (in_row<L>(c + i, width)) {
            part[c + i] = (r == first ? A{0} : part[c + i]) + v[V + i] * v[i];
            part[width + c + i] = (r == first ? A{0} : part[width + c + i]) + v[V + i];
          }
      if (n.gamma) steps.scale(c, v);
      steps.sum(v);
    });
    steps.average();
    for_cached<L>(row, width, [&](int, A(&v)[2 * V]) { steps.differentiate(v); });
    if (n.residual)
#pragma unroll
      for (int k = 0; k < L::K; ++k)
        if (column<L>(k) < width) steps.add_residual(residual[k], row[k]);
    for_cached<L>(row, width, [&](int c, A(&v)[2 * V]) { steps.write(c, v); });
    for_rest<L>(width, [&](int c) {
      A v[2 * L::V], more[V];
      steps.read(c, v);
      steps.normalise(v);
      if (n.gamma) steps.scale(c, v);
      steps.differentiate(v);
      if (n.residual) {
        load<L>(n.residual + steps.begin, c, width, more);
        steps.add_residual(more, v);
      }
      steps.write(c, v);
    });
  }
  if (part) write_part<L>(sums, part, n.width);
}

// dgamma and dbeta from the blocks' parts: 32 columns a block, each by kTurns threads that take turns on the parts.
constexpr unsigned kTurns = 32;
template <class A, class P>
__global__ void __launch_bounds__(32 * kTurns)
    sum_parts(const A* parts, std::int64_t count, int width, P* dgamma, P* dbeta) {
  __shared__ A held[kTurns][32];
  const unsigned lane = threadIdx.x % 32, turn = threadIdx.x / 32;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * 32 + lane, both = 2 * static_cast<std::int64_t>(width);
  A sum = 0;
  if (c < both)
#pragma unroll 8
    for (std::int64_t part = turn; part < count; part += kTurns) sum += parts[part * both + c];
  held[turn][lane] = sum;
  __syncthreads();
  if (turn > 0 || c >= both) return;
  for (unsigned i = 1; i < kTurns; ++i) sum += held[i][lane];
  (c < width ? dgamma : dbeta)[c % width] = narrow<P>(sum);
}

}  // namespace strata::cuda
