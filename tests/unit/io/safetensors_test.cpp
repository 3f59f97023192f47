// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors/safetensors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "strata/io/host_copy.hpp"
#include "strata/runtime/context.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/safetensors_bytes.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

using fixtures::as_bytes;
using fixtures::expect_error;
using fixtures::message_of;
using fixtures::read_all;
using fixtures::safetensors_bytes;
using fixtures::ScratchFolder;
using fixtures::write_all;

Tensor counted(DType dtype, const Shape& shape) {
  Tensor tensor = host_tensor(dtype, shape);
  auto* bytes = static_cast<unsigned char*>(tensor.raw());
  for (std::size_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<unsigned char>(i * 7 + 1);
  return tensor;
}

void expect_same_bytes(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.spec(), b.spec());
  EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0);
}

constexpr DType kAllTypes[] = {DType::f32, DType::bf16, DType::f64, DType::i32, DType::i64, DType::u8, DType::i16};

TEST(Safetensors, RoundTripOfEveryTypeAndShape) {
  const ScratchFolder folder;
  const Shape shapes[] = {Shape{}, Shape{0}, Shape{3}, Shape{2, 0, 5}, Shape{1, 2, 3, 1, 2, 3}};
  StateDict state;
  for (const DType dtype : kAllTypes)
    for (const Shape& shape : shapes) state.add(std::string(name_of(dtype)) + shape.str(), counted(dtype, shape));
  state.add("unicode ä \x01 \" name", counted(DType::u8, {3}));
  write_safetensors(folder.file("a"), state, {{"format", "pt"}, {"note", "line\nbreak \"quoted\""}});
  const SafetensorsFile file(folder.file("a"));
  EXPECT_EQ(file.metadata().at("note"), "line\nbreak \"quoted\"");
  ASSERT_EQ(file.entries().size(), state.size());
  for (const auto& entry : state) expect_same_bytes(file.load(entry.name), entry.value);
  const StateDict back = read_safetensors(folder.file("a"));
  EXPECT_EQ(back.size(), state.size());
}

TEST(Safetensors, WritesTheSameBytesInAnyOrderAndAlignsThem) {
  const ScratchFolder folder;
  StateDict forward, backward;
  const char* names[] = {"a", "bb", "ccc", "d"};
  const DType dtypes[] = {DType::u8, DType::f64, DType::bf16, DType::f32};
  for (std::size_t i = 0; i < 4; ++i) forward.add(names[i], counted(dtypes[i], {3}));
  for (std::size_t i = 4; i-- > 0;) backward.add(names[i], counted(dtypes[i], {3}));
  write_safetensors(folder.file("f"), forward);
  write_safetensors(folder.file("b"), backward);
  EXPECT_EQ(read_all(folder.file("f")), read_all(folder.file("b")));
  EXPECT_EQ(folder.entries(), 2);
  const SafetensorsFile file(folder.file("f"));
  const std::uint64_t data = static_cast<unsigned char>(read_all(folder.file("f"))[0]) + 8u;
  EXPECT_EQ(data % 8, 0u);
  for (const auto& entry : file.entries()) EXPECT_EQ((data + entry.begin) % size_of(*entry.dtype), 0u) << entry.name;
}

TEST(Safetensors, WritesViewsAsWhatTheyShow) {
  const ScratchFolder folder;
  StateDict state;
  const Tensor whole = counted(DType::i16, {4, 6});
  state.add("view", whole.transpose(0, 1).slice(0, 1, 4));
  write_safetensors(folder.file("a"), state);
  expect_same_bytes(SafetensorsFile(folder.file("a")).load("view"), dense_on_host(state.at("view")));
}

TEST(Safetensors, RefusesToWriteWhatIsNotWhole) {
  const ScratchFolder folder;
  StateDict part, undefined, reserved, not_text;
  part.add("w", counted(DType::f32, {2}), Placement::whole({{"embed", 4}}).shard("embed", 0, 2));
  expect_error([&] { write_safetensors(folder.file("a"), part); }, ErrorKind::usage,
               "[safetensors] 'w' is a part of a larger tensor and cannot be exported: gather it first");
  undefined.add("w", Tensor());
  expect_error([&] { write_safetensors(folder.file("a"), undefined); }, ErrorKind::usage,
               "[safetensors] 'w' is undefined and cannot be written");
  reserved.add("__metadata__", counted(DType::f32, {2}));
  expect_error([&] { write_safetensors(folder.file("a"), reserved); }, ErrorKind::usage,
               "[safetensors] a tensor may not be called '__metadata__'");
  not_text.add("\xff", counted(DType::f32, {2}));
  expect_error([&] { write_safetensors(folder.file("a"), not_text); }, ErrorKind::usage,
               "[safetensors] a name or a metadata value is not UTF-8");
  EXPECT_EQ(folder.entries(), 0);
}

TEST(Safetensors, UnwritablePlaceIsOneErrorAndLeavesNothing) {
  const ScratchFolder folder;
  StateDict state;
  state.add("w", counted(DType::f32, {2}));
  expect_error([&] { write_safetensors(folder.file("no/a.safetensors"), state); }, ErrorKind::environment,
               "[safetensors] cannot create '" + folder.file("no/a.safetensors") +
                   "': No such file or directory: create the folder first");
  EXPECT_EQ(folder.entries(), 0);
}

// One handmade file a rule: header, bytes of data after it, what the error says after "[safetensors] 'x': ".
struct Broken {
  const char* json;
  std::size_t data;
  const char* message;
};

const Broken kBroken[] = {
    {"", 0, "the header does not begin with '{'"},
    {" {}", 0, "the header does not begin with '{'"},
    {"\xef\xbb\xbf{}", 0, "the header does not begin with '{'"},
    {"[]", 0, "the header does not begin with '{'"},
    {"{", 0, "the header is not valid JSON at byte 2"},
    {"{}{}", 0, "the header is not valid JSON at byte 3"},
    {"{\"a\":}", 0, "the header is not valid JSON at byte 6"},
    {"{\"\xff\":{}}", 0, "the header is not valid JSON at byte 3"},
    {"{/**/}", 0, "the header is not valid JSON at byte 2"},
    {"{}", 3, "3 bytes follow the last tensor"},
    {R"({"a":1})", 0, "'a' is a number, not an object"},
    {R"({"a":null})", 0, "'a' is null, not an object"},
    {R"({"a":[[[[[[]]]]]]})", 0, "'a' is an array, not an object"},
    {R"({"a":"x"})", 0, "'a' is a string, not an object"},
    {R"({"a":{}})", 0, "tensor 'a' has no dtype"},
    {R"({"a":{"dtype":"U8"}})", 0, "tensor 'a' has no shape"},
    {R"({"a":{"dtype":"U8","shape":[]}})", 1, "tensor 'a' has no data_offsets"},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[]}})", 1, "tensor 'a' has 0 data_offsets instead of two"},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0]}})", 1, "tensor 'a' has 1 data_offsets instead of two"},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,1]}})", 1, "tensor 'a' has more than two data_offsets"},
    {R"({"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1, "tensor 'a': dtype stands twice"},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"more":1}})", 1, "tensor 'a' has the unknown field 'more'"},
    {R"({"a":{"dtype":1,"shape":[],"data_offsets":[0,1]}})", 1, "tensor 'a': dtype is a number"},
    {R"({"a":{"dtype":["U8"],"shape":[],"data_offsets":[0,1]}})", 1, "tensor 'a': dtype is an array"},
    {R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1, "tensor 'a': shape is a number"},
    {R"({"a":{"dtype":"U8","shape":"[1]","data_offsets":[0,1]}})", 1, "tensor 'a': shape is a string"},
    {R"({"a":{"dtype":"U8","shape":{},"data_offsets":[0,1]}})", 1, "tensor 'a': shape is an object"},
    {R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1, "tensor 'a': shape holds an array"},
    {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "tensor 'a': shape holds a negative number"},
    {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1,
     "tensor 'a': shape holds a fraction or a number beyond 64 bits"},
    {R"({"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}})", 1,
     "tensor 'a': shape holds a fraction or a number beyond 64 bits"},
    {R"({"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}})", 1,
     "tensor 'a' has an extent of 9223372036854775808"},
    {R"({"a":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}})", 1, "tensor 'a': shape holds a boolean"},
    {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1,
     "tensor 'a' has more than 6 dimensions"},
    {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0,
     "tensor 'a' of shape [4611686018427387904] is larger than any memory"},
    {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
     "tensor 'a' of shape [4294967296, 4294967296] is larger than any memory"},
    {R"({"a":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})", 0,
     "tensor 'a' of shape [0, 4294967296, 4294967296] is larger than any memory"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}})", 7,
     "tensor 'a' of F32[2] takes 8 bytes, but data_offsets are [0, 7]"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8,
     "tensor 'a' of F32[2] takes 8 bytes, but data_offsets are [8, 0]"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,0]}})", 8,
     "tensor 'a' of F32[2] takes 8 bytes, but data_offsets are [18446744073709551608, 0]"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7,
     "tensor 'a' at bytes [0, 8) ends outside the file, whose data has 7 bytes"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[18446744073709551613,18446744073709551615]}})", 2,
     "tensor 'a' at bytes [18446744073709551613, 18446744073709551615) ends outside the file, whose data has 2 bytes"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3,
     "tensor 'a' at bytes [1, 3) leaves a hole: the tensor before it ends at 0"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})", 5,
     "tensor 'b' at bytes [3, 5) leaves a hole: the tensor before it ends at 2"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3,
     "tensor 'b' at bytes [1, 3) overlaps the tensor before it, which ends at 2"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2,
     "tensor 'b' at bytes [0, 2) overlaps the tensor before it, which ends at 2"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 5, "3 bytes follow the last tensor"},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2,
     "tensor 'a' stands twice"},
    {R"({"__metadata__":{},"__metadata__":{}})", 0, "__metadata__ stands twice"},
    {R"({"__metadata__":{"k":"1","k":"2"}})", 0, "the metadata key 'k' stands twice"},
    {R"({"__metadata__":{"k":1}})", 0, "the metadata key 'k' is a number, not a string"},
    {R"({"__metadata__":{"k":{"x":"y"}}})", 0, "the metadata key 'k' is an object, not a string"},
    {R"({"__metadata__":"k"})", 0, "'__metadata__' is a string, not an object"},
    {"{\"\\u001b[2J\":1}", 0, "'\\x1b[2J' is a number, not an object"},
};

TEST(Safetensors, EachBrokenRuleHasItsSentence) {
  const std::string hint =
      ": the file is damaged or was not written by a safetensors library: fetch or export it again";
  for (const auto& broken : kBroken) {
    const std::string bytes = safetensors_bytes(broken.json, broken.data);
    SCOPED_TRACE(broken.json);
    expect_error([&] { SafetensorsFile(as_bytes(bytes), "x"); }, ErrorKind::data,
                 "[safetensors] 'x': " + std::string(broken.message) + hint);
  }
}

TEST(Safetensors, UnknownTypeOffersTheNearest) {
  const auto bytes = safetensors_bytes(R"({"a":{"dtype":"FP32","shape":[],"data_offsets":[0,4]}})", 4);
  expect_error([&] { SafetensorsFile(as_bytes(bytes), "x"); }, ErrorKind::data,
               "[safetensors] 'x': tensor 'a' has the unknown type 'FP32': did the writer mean F32?");
}

TEST(Safetensors, LengthPrefixAgainstTheFile) {
  const auto message = [](const std::string& bytes) {
    return message_of([&] { SafetensorsFile(as_bytes(bytes), "x"); }, ErrorKind::data);
  };
  EXPECT_EQ(message(""), "[safetensors] 'x' is empty");
  EXPECT_EQ(message("1234567"), "[safetensors] 'x' has 7 bytes, a safetensors file at least 8");
  EXPECT_EQ(message(fixtures::little_endian(3, 8) + "{}"),
            "[safetensors] 'x' announces a header of 3 bytes, but has 10 bytes in all: the file is cut short, or not a "
            "safetensors file");
  EXPECT_EQ(message(fixtures::little_endian(~std::uint64_t{0}, 8) + "{}"),
            "[safetensors] 'x' announces a header of 18446744073709551615 bytes, at most 100000000 are allowed: "
            "this is not a safetensors file, or it is damaged");
}

TEST(Safetensors, DeepNestingCostsNothing) {
  const std::string nested = "{\"a\":" + std::string(1'000'000, '[') + "}";
  const auto bytes = safetensors_bytes(nested, 0);
  const auto message = message_of([&] { SafetensorsFile(as_bytes(bytes), "x"); }, ErrorKind::data);
  EXPECT_TRUE(message.starts_with("[safetensors] 'x': 'a' is an array, not an object")) << message;
}

TEST(Safetensors, ADirectoryOrNoFile) {
  const ScratchFolder folder;
  expect_error(
      [&] { SafetensorsFile(folder.file("no.safetensors")); }, ErrorKind::data,
      "[safetensors] cannot open '" + folder.file("no.safetensors") + "': No such file or directory: check the path");
  expect_error([&] { SafetensorsFile(folder.path().string()); }, ErrorKind::data,
               "[safetensors] '" + folder.path().string() + "' is not a regular file");
}

TEST(Safetensors, TypesWithoutTensorsAreListedButNotLoaded) {
  const auto bytes = safetensors_bytes(
      R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]}})",
      7);
  const SafetensorsFile file(as_bytes(bytes), "x");
  ASSERT_EQ(file.entries().size(), 2u);
  EXPECT_EQ(file.entries()[0].type, "F16");
  expect_error([&] { file.load("h"); }, ErrorKind::data,
               "[safetensors] 'x': tensor 'h' is F16, a type without tensors here: ask for conversion, or convert the "
               "file to F32 or BF16");
  expect_error([&] { file.load("b"); }, ErrorKind::data,
               "[safetensors] 'x': tensor 'b' is BOOL, a type without tensors here: convert the file to F32, BF16, "
               "F64, I64, I32, I16 or U8");
  expect_error([&] { file.load_as(file.entry("b"), DType::f32); }, ErrorKind::data,
               "[safetensors] 'x': tensor 'b' is BOOL and does not convert to f32");
  const Tensor half = file.load_as(file.entry("h"), DType::f32);
  EXPECT_EQ(half.data<float>()[0], float_from_half(0x0101));
  EXPECT_EQ(file.load_as(file.entry("h"), DType::bf16).dtype(), DType::bf16);
  expect_error([&] { file.load("hh"); }, ErrorKind::data,
               "[safetensors] 'x' has no tensor called 'hh': did you mean 'h'?");
}

}  // namespace
}  // namespace strata::io
