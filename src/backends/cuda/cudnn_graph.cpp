// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cudnn_graph.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/check.hpp"

namespace strata::cuda {
namespace {

cudnnStatus_t read(const Descriptor& from, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                   std::int64_t wanted, std::int64_t& count, void* values) {
  return cudnnBackendGetAttribute(from.get(), name, type, wanted, &count, values);
}

// The engine configurations of cuDNN's choice, best first.
std::vector<Descriptor> configurations(const CudnnGraph& graph, const Descriptor& device) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.descriptor());
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device);
  heuristics.finalise("engines of a graph");
  std::int64_t count = 0;
  if (!accepted(read(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, count, nullptr),
                "the number of engines"))
    throw Refused{"no engine"};
  std::vector<Descriptor> found;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (std::int64_t i = 0; i < count; ++i)
    handles.push_back(found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).get());
  if (!accepted(
          read(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, count, handles.data()),
          "engines"))
    throw Refused{"no engine"};
  found.resize(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
  return found;
}

}  // namespace

bool accepted(cudnnStatus_t status, std::string_view what) {
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  check(status, what);
  return true;
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  check(cudnnBackendCreateDescriptor(type, &value_), "cudnnBackendCreateDescriptor");
}
Descriptor::~Descriptor() {
  if (value_ != nullptr) cudnnBackendDestroyDescriptor(value_);
}
void Descriptor::put(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                     const void* values) {
  const std::string what = fmt::format("attribute {} of a descriptor", static_cast<int>(name));
  if (!accepted(cudnnBackendSetAttribute(value_, name, type, count, values), what)) throw Refused{what};
}
void Descriptor::finalise(std::string_view what) {
  if (!accepted(cudnnBackendFinalize(value_), what)) throw Refused{std::string(what)};
}

Descriptor device_description(int index) {
  Descriptor device(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  device.set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, static_cast<std::int32_t>(index));
  device.finalise("a device's description");
  return device;
}
Descriptor device_description(std::string_view json) {
  Descriptor device(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  device.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::span<const char>(json));
  device.finalise("a device's description");
  return device;
}

CudnnGraph::Id CudnnGraph::add(GraphTensor tensor) {
  if (tensors_.contains(tensor.id)) return tensor.id;
  const bool is_virtual = tensor.id == 0;
  if (is_virtual) tensor.id = next_++;
  Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, tensor.id);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, tensor.type);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, std::span<const std::int64_t>(tensor.extents));
  d.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, std::span<const std::int64_t>(tensor.strides));
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, tensor.alignment);
  if (is_virtual) d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true);
  if (tensor.by_value) d.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, true);
  if (tensor.ragged != 0) d.set(CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, of(tensor.ragged));
  d.finalise("a tensor's description");
  tensors_.emplace(tensor.id, std::move(d));
  return tensor.id;
}

void CudnnGraph::matmul(Id a, Id b, Id y, const TrueExtents& extents, bool pads) {
  Descriptor& product = parts_.emplace_back(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  product.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  if (pads) product.set(CUDNN_ATTR_MATMUL_PADDING_VALUE, CUDNN_TYPE_DOUBLE, 0.0);
  product.finalise("a product's description");
  Descriptor& d = operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  d.set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, of(a));
  d.set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, of(b));
  d.set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, of(y));
  if (extents.m != 0) d.set(CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC, of(extents.m));
  if (extents.n != 0) d.set(CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC, of(extents.n));
  if (extents.k != 0) d.set(CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC, of(extents.k));
  d.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, product);
  d.finalise("a product");
}

void CudnnGraph::pointwise(cudnnPointwiseMode_t mode, std::span<const Id> inputs, Id y, cudnnDataType_t precision,
                           std::int64_t axis) {
  Descriptor& function = parts_.emplace_back(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  function.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode);
  function.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, precision);
  if (axis >= 0) function.set(CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, axis);
  function.finalise("a function's description");
  Descriptor& d = operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, function);
  constexpr std::array kPorts{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
                              CUDNN_ATTR_OPERATION_POINTWISE_TDESC};
  for (std::size_t i = 0; i < inputs.size(); ++i) d.set(kPorts.at(i), of(inputs[i]));
  d.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, of(y));
  d.finalise("a function");
}

void CudnnGraph::reduce(cudnnReduceTensorOp_t mode, Id x, Id y) {
  Descriptor& reduction = parts_.emplace_back(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  reduction.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  reduction.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, mode);
  reduction.finalise("a sum's description");
  Descriptor& d = operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  d.set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, of(x));
  d.set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, of(y));
  d.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, reduction);
  d.finalise("a sum");
}

void CudnnGraph::reshape(Id x, Id y) {
  Descriptor& d = operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
  d.set(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, of(x));
  d.set(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, of(y));
  d.finalise("a reshape");
}

void CudnnGraph::finalise() {
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const auto& one : operations_) operations.push_back(one.get());
  graph_ = Descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
             std::span<const cudnnBackendDescriptor_t>(operations));
  graph_.finalise("a graph");
}

CudnnPlan::CudnnPlan(CudnnGraph graph, const Descriptor& device) : graph_(std::move(graph)) {
  graph_.finalise();
  for (auto& configuration : configurations(graph_, device)) {
    Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    if (!accepted(cudnnBackendFinalize(plan.get()), "a plan")) continue;
    std::int64_t count = 0;
    check(read(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, count, &workspace_),
          "a plan's workspace");
    engine_ = std::move(configuration);
    plan_ = std::move(plan);
    return;
  }
  throw Refused{"no engine"};
}

bool CudnnPlan::run(cudnnHandle_t handle, std::span<const Binding> bindings, void* workspace) const {
  std::vector<std::int64_t> ids;
  std::vector<void*> pointers;
  for (const auto& binding : bindings) {
    ids.push_back(binding.id);
    pointers.push_back(binding.data);
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, std::span<const std::int64_t>(ids));
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::span<void* const>(pointers));
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
  pack.finalise("a plan's memory");
  return accepted(cudnnBackendExecute(handle, plan_.get(), pack.get()), "cudnnBackendExecute");
}

}  // namespace strata::cuda
