// SPDX-License-Identifier: Apache-2.0
//
// As much of cuDNN's backend interface as src/backends/cuda calls, by loops in double, from the descriptions it is
// given: a graph is evaluated operation by operation, so wrong operations, layouts, ragged offsets or lengths give
// wrong numbers here as there. What lies outside a ragged segment reads as NaN and is not written; what is not bound is
// null. Which graphs the real one takes is tests/cudnn' business.
#include <cuda_bf16.h>
#include <cudnn.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <vector>

namespace {

struct Attribute {
  std::int64_t count = 0;
  std::vector<unsigned char> bytes;
};

struct Node {
  cudnnBackendDescriptorType_t type{};
  std::map<int, Attribute> attributes;

  bool has(int name) const { return attributes.contains(name); }
  template <class T>
  std::vector<T> all(int name) const {
    const auto at = attributes.find(name);
    if (at == attributes.end()) return {};
    std::vector<T> values(static_cast<std::size_t>(at->second.count));
    std::memcpy(values.data(), at->second.bytes.data(), sizeof(T) * values.size());
    return values;
  }
  template <class T>
  T one(int name, T otherwise = T{}) const {
    const auto values = all<T>(name);
    return values.empty() ? otherwise : values[0];
  }
  const Node* node(int name) const { return static_cast<const Node*>(one<void*>(name)); }
};

std::size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR: return 1;
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR: return 8;
    default: return 4;
  }
}

using Axes = std::array<std::int64_t, 4>;
using Memory = std::map<std::int64_t, void*>;

Axes axes_of(const Node& tensor, int name) {
  Axes axes{1, 1, 1, 1};
  const auto given = tensor.all<std::int64_t>(name);
  for (std::size_t i = 0; i < given.size() && i < 4; ++i) axes[i] = given[i];
  return axes;
}
Axes extents_of(const Node& tensor) { return axes_of(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS); }
Axes strides_of(const Node& tensor) { return axes_of(tensor, CUDNN_ATTR_TENSOR_STRIDES); }
cudnnDataType_t type_of(const Node& tensor) { return tensor.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE); }

double read(const void* data, cudnnDataType_t type, std::int64_t i) {
  switch (type) {
    case CUDNN_DATA_BFLOAT16: return static_cast<double>(__bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]));
    case CUDNN_DATA_INT32: return static_cast<double>(static_cast<const std::int32_t*>(data)[i]);
    case CUDNN_DATA_INT64: return static_cast<double>(static_cast<const std::int64_t*>(data)[i]);
    default: return static_cast<double>(static_cast<const float*>(data)[i]);
  }
}

struct Values {
  Axes extents{1, 1, 1, 1};
  std::vector<double> data{0};

  Values() = default;
  explicit Values(const Axes& e)
      : extents(e),
        data(static_cast<std::size_t>(e[0] * e[1] * e[2] * e[3]), std::numeric_limits<double>::quiet_NaN()) {}
  // Axes of extent one are as long as need be.
  std::size_t place(const Axes& at) const {
    std::int64_t i = 0;
    for (std::size_t a = 0; a < 4; ++a) i = i * extents[a] + (extents[a] == 1 ? 0 : at[a]);
    return static_cast<std::size_t>(i);
  }
  double& operator[](const Axes& at) { return data[place(at)]; }
  double operator[](const Axes& at) const { return data[place(at)]; }
};

template <class F>
void for_each(const Axes& extents, const F& f) {
  Axes i{};
  for (i[0] = 0; i[0] < extents[0]; ++i[0])
    for (i[1] = 0; i[1] < extents[1]; ++i[1])
      for (i[2] = 0; i[2] < extents[2]; ++i[2])
        for (i[3] = 0; i[3] < extents[3]; ++i[3]) f(i);
}

class Run {
 public:
  explicit Run(const Memory& memory) : memory_(memory) {}

  cudnnStatus_t execute(const Node& operation) {
    switch (operation.type) {
      case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR: return matmul(operation);
      case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR: return pointwise(operation);
      case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR: return reduce(operation);
      case CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR: return reshape(operation);
      default: return CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN;
    }
  }

 private:
  static std::int64_t id_of(const Node& tensor) { return tensor.one<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID); }
  void* bound(const Node& tensor) const {
    const auto at = memory_.find(id_of(tensor));
    return at == memory_.end() ? nullptr : at->second;
  }

  // Calls f(where in a dense array, where in memory) for each element that is there.
  template <class F>
  void for_each_in_memory(const Node& tensor, const F& f) const {
    const Axes strides = strides_of(tensor);
    const Node* ragged = tensor.node(CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC);
    const auto* offsets = ragged == nullptr ? nullptr : static_cast<const std::int64_t*>(bound(*ragged));
    for_each(extents_of(tensor), [&](const Axes& at) {
      const std::int64_t inside = at[1] * strides[1] + at[2] * strides[2] + at[3] * strides[3];
      if (offsets == nullptr) return f(at, at[0] * strides[0] + inside);
      if (inside < offsets[at[0] + 1] - offsets[at[0]]) f(at, offsets[at[0]] + inside);
    });
  }

  const Values& get(const Node& tensor) {
    const auto [at, is_new] = known_.try_emplace(id_of(tensor));
    if (!is_new) return at->second;
    at->second = Values(extents_of(tensor));
    if (const void* data = bound(tensor))
      for_each_in_memory(
          tensor, [&](const Axes& i, std::int64_t where) { at->second[i] = read(data, type_of(tensor), where); });
    return at->second;
  }

  void put(const Node& tensor, Values values) {
    if (type_of(tensor) == CUDNN_DATA_BFLOAT16)
      for (double& x : values.data)
        x = static_cast<double>(__bfloat162float(__float2bfloat16_rn(static_cast<float>(x))));
    if (void* data = bound(tensor))
      for_each_in_memory(tensor, [&](const Axes& i, std::int64_t where) {
        if (type_of(tensor) == CUDNN_DATA_BFLOAT16)
          static_cast<__nv_bfloat16*>(data)[where] = __float2bfloat16_rn(static_cast<float>(values[i]));
        else
          static_cast<float*>(data)[where] = static_cast<float>(values[i]);
      });
    known_[id_of(tensor)] = std::move(values);
  }

  // How much of an axis is there, for each batch or for all.
  Values lengths(const Node* tensor, std::int64_t otherwise) {
    if (tensor != nullptr) return get(*tensor);
    Values all;
    all.data[0] = static_cast<double>(otherwise);
    return all;
  }

  cudnnStatus_t matmul(const Node& operation) {
    const Node &na = *operation.node(CUDNN_ATTR_OPERATION_MATMUL_ADESC),
               &nb = *operation.node(CUDNN_ATTR_OPERATION_MATMUL_BDESC),
               &ny = *operation.node(CUDNN_ATTR_OPERATION_MATMUL_CDESC);
    const Values &a = get(na), &b = get(nb);
    Values y(extents_of(ny));
    if (a.extents[2] != y.extents[2] || b.extents[3] != y.extents[3] || a.extents[3] != b.extents[2])
      return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
    const Values m = lengths(operation.node(CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC), y.extents[2]),
                 n = lengths(operation.node(CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC), y.extents[3]),
                 k = lengths(operation.node(CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC), a.extents[3]);
    for_each(y.extents, [&](const Axes& i) {
      const Axes batch{i[0], 0, 0, 0};
      double sum = 0;
      if (static_cast<double>(i[2]) < m[batch] && static_cast<double>(i[3]) < n[batch]) {
        const double* row = &a.data[a.place({i[0], i[1], i[2], 0})];
        const double* column = &b.data[b.place({i[0], i[1], 0, i[3]})];
        const auto count = static_cast<std::int64_t>(k[batch]);
        for (std::int64_t c = 0; c < count; ++c) sum += row[c] * column[c * b.extents[3]];
      }
      y[i] = sum;
    });
    put(ny, std::move(y));
    return CUDNN_STATUS_SUCCESS;
  }

  static double function(cudnnPointwiseMode_t mode, double x, double b, double t) {
    switch (mode) {
      case CUDNN_POINTWISE_ADD: return x + b;
      case CUDNN_POINTWISE_SUB: return x - b;
      case CUDNN_POINTWISE_MUL: return x * b;
      case CUDNN_POINTWISE_DIV: return x / b;
      case CUDNN_POINTWISE_EXP: return std::exp(x);
      case CUDNN_POINTWISE_LOG: return std::log(x);
      case CUDNN_POINTWISE_IDENTITY: return x;
      case CUDNN_POINTWISE_CMP_LT: return x < b ? 1 : 0;
      case CUDNN_POINTWISE_LOGICAL_AND: return x != 0 && b != 0 ? 1 : 0;
      case CUDNN_POINTWISE_BINARY_SELECT: return t != 0 ? x : b;
      default: return std::numeric_limits<double>::quiet_NaN();
    }
  }
  cudnnStatus_t pointwise(const Node& operation) {
    const Node& what = *operation.node(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
    const auto mode = what.one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
    const auto axis = what.one<std::int64_t>(CUDNN_ATTR_POINTWISE_AXIS, -1);
    const auto input = [&](int name) {
      const Node* tensor = operation.node(name);
      return tensor == nullptr ? Values() : get(*tensor);
    };
    const Values x = input(CUDNN_ATTR_OPERATION_POINTWISE_XDESC), b = input(CUDNN_ATTR_OPERATION_POINTWISE_BDESC),
                 t = input(CUDNN_ATTR_OPERATION_POINTWISE_TDESC);
    const Node& ny = *operation.node(CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    Values y(extents_of(ny));
    for_each(y.extents, [&](const Axes& i) {
      y[i] = mode == CUDNN_POINTWISE_GEN_INDEX ? static_cast<double>(i[static_cast<std::size_t>(axis)])
                                               : function(mode, x[i], b[i], t[i]);
    });
    put(ny, std::move(y));
    return CUDNN_STATUS_SUCCESS;
  }

  cudnnStatus_t reduce(const Node& operation) {
    const auto mode =
        operation.node(CUDNN_ATTR_OPERATION_REDUCTION_DESC)->one<cudnnReduceTensorOp_t>(CUDNN_ATTR_REDUCTION_OPERATOR);
    const Values& x = get(*operation.node(CUDNN_ATTR_OPERATION_REDUCTION_XDESC));
    const Node& ny = *operation.node(CUDNN_ATTR_OPERATION_REDUCTION_YDESC);
    const bool adds = mode == CUDNN_REDUCE_TENSOR_ADD;
    if (!adds && mode != CUDNN_REDUCE_TENSOR_MAX) return CUDNN_STATUS_NOT_SUPPORTED;
    Values y(extents_of(ny));
    for (double& one : y.data) one = adds ? 0 : -std::numeric_limits<double>::infinity();
    for_each(x.extents, [&](const Axes& i) { y[i] = adds ? y[i] + x[i] : std::fmax(y[i], x[i]); });
    put(ny, std::move(y));
    return CUDNN_STATUS_SUCCESS;
  }

  // The same memory under other axes: rows and columns exchanged, or neither.
  cudnnStatus_t reshape(const Node& operation) {
    const Node &nx = *operation.node(CUDNN_ATTR_OPERATION_RESHAPE_XDESC),
               &ny = *operation.node(CUDNN_ATTR_OPERATION_RESHAPE_YDESC);
    const Axes from = strides_of(nx), to = strides_of(ny);
    const Values& x = get(nx);
    Values y(extents_of(ny));
    const bool turns = from[2] == to[3] && from[3] == to[2];
    if (!turns && (from[2] != to[2] || from[3] != to[3])) return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
    for_each(y.extents, [&](const Axes& i) { y[i] = turns ? x[{i[0], i[1], i[3], i[2]}] : x[i]; });
    put(ny, std::move(y));
    return CUDNN_STATUS_SUCCESS;
  }

  const Memory& memory_;
  std::map<std::int64_t, Values> known_;
};

Node& of(cudnnBackendDescriptor_t descriptor) { return *static_cast<Node*>(descriptor); }

constexpr std::size_t kWorkspace = 4096;

}  // namespace

extern "C" {

size_t cudnnGetVersion() { return CUDNN_VERSION; }
cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t) { return CUDNN_STATUS_SUCCESS; }

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  *descriptor = new Node{type, {}};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  delete &of(descriptor);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* values) {
  const auto* bytes = static_cast<const unsigned char*>(values);
  of(descriptor).attributes[name] = {count, {bytes, bytes + static_cast<std::size_t>(count) * size_of(type)}};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t) { return CUDNN_STATUS_SUCCESS; }

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t, int64_t wanted, int64_t* count, void* values) {
  *count = 1;
  if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) {
    *static_cast<std::int64_t*>(values) = kWorkspace;
  } else if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) {
    if (wanted > 0) of(*static_cast<cudnnBackendDescriptor_t*>(values)).attributes = of(descriptor).attributes;
  } else {
    return CUDNN_STATUS_NOT_SUPPORTED;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
  const auto ids = of(pack).all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = of(pack).all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  Memory memory;
  for (std::size_t i = 0; i < ids.size(); ++i) memory[ids[i]] = pointers[i];
  std::memset(of(pack).one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE), 0xee, kWorkspace);
  const Node& configuration = *of(plan).node(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  const Node& graph = *configuration.node(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  Run run(memory);
  for (const void* operation : graph.all<void*>(CUDNN_ATTR_OPERATIONGRAPH_OPS))
    if (const auto status = run.execute(*static_cast<const Node*>(operation)); status != CUDNN_STATUS_SUCCESS)
      return status;
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
