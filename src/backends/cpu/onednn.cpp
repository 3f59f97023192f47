// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/onednn.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "backends/cpu/cpu.hpp"
#include "backends/cpu/threads.hpp"
#include "strata/base/error.hpp"

namespace strata {
namespace cpu {
namespace {

using Desc = dnnl::memory::desc;

dnnl::memory::data_type type_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return dnnl::memory::data_type::f32;
    case DType::bf16: return dnnl::memory::data_type::bf16;
    default: fail(ErrorKind::internal, "cpu", fmt::format("oneDNN is not used for {}", name_of(dtype)));
  }
}

Desc matrix(const MatmulShape& shape, std::int64_t rows, std::int64_t columns, const MatmulShape::Strides& strides,
            DType dtype) {
  if (shape.batch == 1) return {{rows, columns}, type_of(dtype), {strides.row, strides.column}};
  return {{shape.batch, rows, columns}, type_of(dtype), {strides.batch, strides.row, strides.column}};
}

Desc bias_of(const MatmulShape& shape) {
  const auto type = type_of(shape.bias);
  if (shape.batch == 1) return {{1, shape.n}, type, {shape.n, 1}};
  return {{1, 1, shape.n}, type, {shape.n, shape.n, 1}};
}

struct Product {
  Desc a, b, bias, c;
  dnnl::matmul primitive{};
  Desc scratch{};
  bool fast = true;
};

// Memory that a product needs while it runs.
class Scratch {
 public:
  Scratch(Backend& memory, std::size_t bytes)
      : memory_(memory), bytes_(bytes), data_(bytes == 0 ? nullptr : memory.allocate(bytes, {}, MemoryKind::work)) {}
  ~Scratch() {
    if (data_ != nullptr) memory_.free(data_, bytes_, {}, MemoryKind::work);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* data() const { return data_; }

 private:
  Backend& memory_;
  std::size_t bytes_;
  void* data_;
};

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, bool has_bias, const Product& p) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);  // f32 means f32, whatever the environment allows
#if DNNL_VERSION_MAJOR >= 3
  return has_bias ? dnnl::matmul::primitive_desc(engine, p.a, p.b, p.bias, p.c, attributes)
                  : dnnl::matmul::primitive_desc(engine, p.a, p.b, p.c, attributes);
#else
  const auto operation = has_bias ? dnnl::matmul::desc(p.a, p.b, p.bias, p.c) : dnnl::matmul::desc(p.a, p.b, p.c);
  return {operation, attributes, engine};
#endif
}

// The layout of b that the library likes for products of a usual number of rows.
Desc packed_b(const dnnl::engine& engine, const MatmulShape& shape) {
  constexpr std::int64_t kUsualRows = 128;
  using Tag = dnnl::memory::format_tag;
  const LibraryThreads one(1);  // or the layout could depend on the number of threads
  const auto matrix = [&](std::int64_t rows, std::int64_t columns, Tag tag) {
    return Desc({rows, columns}, type_of(shape.input), tag);
  };
  return describe(engine, false,
                  {matrix(kUsualRows, shape.k, Tag::ab), matrix(shape.k, shape.n, Tag::any), Desc(),
                   matrix(kUsualRows, shape.n, Tag::ab)})
      .weights_desc();
}

struct Hash {
  std::size_t operator()(const MatmulShape& s) const {
    std::uint64_t hash = (s.has_bias ? 1u : 0u) + (s.packed ? 2u : 0u);
    for (const auto part : {s.batch, s.m, s.n, s.k, s.a.batch, s.a.row, s.a.column, s.b.batch, s.b.row, s.b.column,
                            s.c.batch, s.c.row, static_cast<std::int64_t>(s.input), static_cast<std::int64_t>(s.output),
                            static_cast<std::int64_t>(s.bias), static_cast<std::int64_t>(s.threads)})
      hash = (hash ^ static_cast<std::uint64_t>(part)) * 0x9e3779b97f4a7c15ull + (hash >> 29);
    return static_cast<std::size_t>(hash);
  }
};

struct Entry {
  std::shared_ptr<const Product> product;
  std::uint64_t last_use = 0;
};

}  // namespace

struct MatmulCache::State {
  Backend& memory;
  bool rehearsal;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  mutable std::mutex mutex{};
  std::unordered_map<MatmulShape, Entry, Hash> products{};
  std::uint64_t uses = 0;
  std::once_flag asked{};
  bool bf16 = false;

  std::shared_ptr<const Product> find_or_make(const MatmulShape& shape) {
    const std::scoped_lock lock(mutex);
    const auto found = products.find(shape);
    Entry entry = found != products.end() ? found->second : Entry{};
    entry.last_use = ++uses;
    if (!entry.product) {
      Product product{matrix(shape, shape.m, shape.k, shape.a, shape.input),
                      shape.packed ? packed_b(engine, shape) : matrix(shape, shape.k, shape.n, shape.b, shape.input),
                      bias_of(shape), matrix(shape, shape.m, shape.n, shape.c, shape.output)};
      const auto description = describe(engine, shape.has_bias, product);
      product.primitive = dnnl::matmul(description);
      product.scratch = description.scratchpad_desc();
      product.fast = std::string_view(description.impl_info_str()).find("ref") == std::string_view::npos;
      entry.product = std::make_shared<const Product>(std::move(product));
    }
    const auto result = entry.product;
    products[shape] = std::move(entry);
    if (products.size() > kCapacity)
      products.erase(std::ranges::min_element(products, {}, [](const auto& item) { return item.second.last_use; }));
    return result;
  }
};

MatmulCache::MatmulCache(Backend& memory, bool rehearsal)
    : state_(new State{.memory = memory, .rehearsal = rehearsal}) {}
MatmulCache::~MatmulCache() = default;

std::size_t MatmulCache::size() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->products.size();
}

void MatmulCache::run(const MatmulShape& shape, const void* a, const void* b, const void* bias, void* c) {
  const LibraryThreads threads(shape.threads);  // both while a primitive plans its work and while it runs
  try {
    const auto product = state_->find_or_make(shape);
    const auto memory = [&](const Desc& desc, const void* data) {
      return dnnl::memory(desc, state_->engine, const_cast<void*>(data));
    };
    std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SRC, memory(product->a, a)},
                                                    {DNNL_ARG_WEIGHTS, memory(product->b, b)},
                                                    {DNNL_ARG_DST, memory(product->c, c)}};
    if (shape.has_bias) arguments.emplace(DNNL_ARG_BIAS, memory(product->bias, bias));
    const Scratch scratch(state_->memory, product->scratch.get_size());
    if (scratch.data() != nullptr) arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(product->scratch, scratch.data()));
    if (state_->rehearsal) return;
    dnnl::stream stream(state_->engine);
    product->primitive.execute(stream, arguments);
    stream.wait();
  } catch (const dnnl::error& error) {
    fail(ErrorKind::environment, "cpu",
         fmt::format("oneDNN {} refused a product of {} x [{}, {}] x [{}, {}] {}: {}", onednn_version(), shape.batch,
                     shape.m, shape.k, shape.k, shape.n, name_of(shape.input), error.what()));
  }
}

bool MatmulCache::multiplies(DType type) {
  if (type == DType::f32) return true;
  std::call_once(state_->asked, [&] {
    try {
      state_->bf16 = state_
                         ->find_or_make({.m = 64,
                                         .n = 64,
                                         .k = 64,
                                         .a = {0, 64, 1},
                                         .b = {0, 64, 1},
                                         .c = {0, 64, 1},
                                         .input = DType::bf16,
                                         .output = DType::bf16})
                         ->fast;
    } catch (const dnnl::error&) {
      state_->bf16 = false;
    }
  });
  return type == DType::bf16 && state_->bf16;
}

std::size_t MatmulCache::packed_bytes(const MatmulShape& shape) { return packed_b(state_->engine, shape).get_size(); }

void MatmulCache::pack(const MatmulShape& shape, const void* b, void* packed) {
  if (state_->rehearsal) return;
  const LibraryThreads threads(shape.threads);
  dnnl::memory from(matrix(shape, shape.k, shape.n, shape.b, shape.input), state_->engine, const_cast<void*>(b));
  dnnl::memory to(packed_b(state_->engine, shape), state_->engine, packed);
  dnnl::stream stream(state_->engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
}

bool MatmulCache::fast(MatmulShape shape) {
  const LibraryThreads threads(shape.threads);
  shape.packed = true;
  try {
    return state_->find_or_make(shape)->fast;
  } catch (const dnnl::error&) {
    return false;
  }
}

}  // namespace cpu

std::string onednn_version() {
  const auto* version = dnnl::version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace strata
