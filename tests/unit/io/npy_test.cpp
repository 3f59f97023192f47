// SPDX-License-Identifier: Apache-2.0
#include "io/npy/npy.hpp"

#include <gtest/gtest.h>

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
using fixtures::little_endian;
using fixtures::ScratchFolder;

std::string npy_bytes(const std::string& header, const std::string& data, char version = 1) {
  return std::string("\x93NUMPY", 6) + version + '\0' + little_endian(header.size(), version == 1 ? 2 : 4) + header +
         data;
}

std::string dictionary(const std::string& descr, const std::string& fortran, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }  \n";
}

Tensor parse(const std::string& bytes) { return read_npy(as_bytes(bytes), "x"); }

template <class T>
std::vector<T> values(const Tensor& tensor) {
  return {tensor.data<T>(), tensor.data<T>() + tensor.numel()};
}

TEST(Npy, RoundTripOfEveryType) {
  const ScratchFolder folder;
  for (const DType dtype : {DType::f32, DType::f64, DType::i16, DType::i32, DType::i64, DType::u8}) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{4}, Shape{2, 3}, Shape{1, 2, 3, 1, 2, 3}}) {
      const Tensor tensor = host_tensor(dtype, shape);
      for (std::size_t i = 0; i < tensor.bytes(); ++i)
        static_cast<unsigned char*>(tensor.raw())[i] = static_cast<unsigned char>(i * 3);
      write_npy(folder.file("a.npy"), tensor);
      EXPECT_EQ(fixtures::read_all(folder.file("a.npy")).size() % 64, tensor.bytes() % 64);
      const Tensor back = read_npy(folder.file("a.npy"));
      ASSERT_EQ(back.spec(), tensor.spec());
      EXPECT_EQ(std::memcmp(back.raw(), tensor.raw(), tensor.bytes()), 0);
    }
  }
  EXPECT_EQ(folder.entries(), 1);
}

TEST(Npy, WritesViewsAsWhatTheyShow) {
  const ScratchFolder folder;
  const Tensor whole = host_tensor(DType::i32, Shape{2, 3});
  std::iota(whole.data<std::int32_t>(), whole.data<std::int32_t>() + 6, 0);
  write_npy(folder.file("a.npy"), whole.transpose(0, 1));
  EXPECT_EQ(values<std::int32_t>(read_npy(folder.file("a.npy"))), (std::vector<std::int32_t>{0, 3, 1, 4, 2, 5}));
}

TEST(Npy, BothByteOrders) {
  EXPECT_EQ(values<std::int16_t>(parse(npy_bytes(dictionary("<i2", "False", "(2,)"), {"\1\0\2\1", 4}))),
            (std::vector<std::int16_t>{1, 258}));
  EXPECT_EQ(values<std::int16_t>(parse(npy_bytes(dictionary(">i2", "False", "(2,)"), {"\0\1\1\2", 4}))),
            (std::vector<std::int16_t>{1, 258}));
  EXPECT_EQ(values<float>(parse(npy_bytes(dictionary(">f4", "False", "()"), {"\x3f\xc0\0\0", 4}))),
            (std::vector<float>{1.5f}));
}

TEST(Npy, FortranOrderBecomesCOrder) {
  // array([[1, 2, 3], [4, 5, 6]]) by columns
  const Tensor tensor = parse(npy_bytes(dictionary("|u1", "True", "(2, 3)"), {"\1\4\2\5\3\6", 6}));
  EXPECT_EQ(tensor.shape(), Shape({2, 3}));
  EXPECT_EQ(values<std::uint8_t>(tensor), (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
  const Tensor cube = parse(npy_bytes(dictionary("|u1", "True", "(2, 1, 2)"), {"\0\2\1\3", 4}));
  EXPECT_EQ(values<std::uint8_t>(cube), (std::vector<std::uint8_t>{0, 1, 2, 3}));
}

TEST(Npy, EveryVersionAndAnyOrderOfKeys) {
  const std::string shuffled = "{\"shape\":(2,),'descr':'|u1' , 'fortran_order':False}\n";
  for (const char version : {'\1', '\2', '\3'})
    EXPECT_EQ(values<std::uint8_t>(parse(npy_bytes(shuffled, "\7\7", version))).size(), 2u);
}

struct Broken {
  std::string bytes;
  std::string message;
};

TEST(Npy, EachBrokenRuleHasItsSentence) {
  const std::string damaged = ": the file is damaged or was not written by NumPy",
                    shortened = ": the file is cut short, or not a .npy file";
  const std::string convert = ": save it as float32: numpy.save(path, array.astype('<f4'))";
  const auto shape = [](const std::string& text) { return npy_bytes(dictionary("|u1", "False", text), "\1"); };
  const auto type = [](const std::string& text) { return npy_bytes(dictionary(text, "False", "()"), "\1"); };
  const auto text = [](const std::string& header) { return npy_bytes(header, "\1"); };
  const Broken cases[] = {
      {"", "the file is empty"},
      {"\x93NUMPY", "the file has 6 bytes, a .npy file at least 10" + shortened},
      {"PK\3\4 an npz archive", "the file does not begin as a .npy file does: give a file written by numpy.save"},
      {npy_bytes("{}", "", 4), "format version 4.0 is not known, only 1.0, 2.0 and 3.0"},
      {npy_bytes("", "").substr(0, 8) + little_endian(60, 2) + "{}",
       "the header is announced with 60 bytes, but the file has 12" + shortened},
      {npy_bytes("", "", 2).substr(0, 8) + std::string("\0\0", 2),
       "the header is announced with 0 bytes, but the file has 10" + shortened},
      {npy_bytes("", "", 2).substr(0, 8) + little_endian(0xffffffff, 4),
       "the header is announced with 4294967295 bytes, at most 65536 are read"},
      {text(""), "the header has no '{' at character 0" + damaged},
      {text("[]\n"), "the header has no '{' at character 0" + damaged},
      {text("{}\n"), "the header has no descr" + damaged},
      {text("{'descr': '|u1'}\n"), "the header has no fortran_order" + damaged},
      {text("{'descr': '|u1', 'fortran_order': False}\n"), "the header has no shape" + damaged},
      {text("{'descr': '|u1', 'descr': '|u1'}\n"), "descr stands twice" + damaged},
      {text("{'descr': '|u1', 'more': 1}\n"), "the header has the unknown key 'more'" + damaged},
      {text("{'descr' '|u1'}\n"), "the header has no ':' at character 9" + damaged},
      {text("{'descr': '|u1' 'shape': ()}\n"), "the header has no '}' at character 16" + damaged},
      {text("{'descr': '|u1"), "the header has no closed string at character 10" + damaged},
      {text("{'descr': 5}\n"), "the header has no string at character 10" + damaged},
      {text("{'descr': [('a', '<f4')]}\n"), "structured arrays are not read" + convert},
      {text("{'fortran_order': 0}\n"), "the header has no True or False at character 18" + damaged},
      {text("{'descr': '|u1', 'fortran_order': False, 'shape': ()}"),
       "the header does not end in blanks and a line feed" + damaged},
      {text("{'descr': '|u1', 'fortran_order': False, 'shape': ()} x\n"),
       "the header does not end in blanks and a line feed" + damaged},
      {type("<u2"), "elements of type '<u2' are not read, only f4 f8 i2 i4 i8 u1" + convert},
      {type("|O"), "elements of type '|O' are not read, only f4 f8 i2 i4 i8 u1" + convert},
      {type("<f2"), "elements of type '<f2' are not read, only f4 f8 i2 i4 i8 u1" + convert},
      {type("|f4"), "elements of type '|f4' are not read, only f4 f8 i2 i4 i8 u1" + convert},
      {type("=f4"), "elements of type '=f4' are not read, only f4 f8 i2 i4 i8 u1" + convert},
      {type(""), "elements of type '' are not read, only f4 f8 i2 i4 i8 u1" + convert},
      {shape("1"), "the header has no '(' at character 50" + damaged},
      {shape("(1)"), "shape is a number in brackets, not a tuple" + damaged},
      {shape("(1 1)"), "the header has no ',' at character 53" + damaged},
      {shape("(,)"), "the header has no extent at character 51" + damaged},
      {shape("(-1,)"), "the header has no extent at character 51" + damaged},
      {shape("(1, 1, 1, 1, 1, 1, 1)"), "the array has more than 6 dimensions" + damaged},
      {shape("(9223372036854775808,)"), "shape has an extent beyond 63 bits" + damaged},
      {shape("(4294967296, 4294967296)"), "an array of u8[4294967296, 4294967296] is larger than any memory"},
      {shape("(0, 4294967296, 4294967296)"), "an array of u8[0, 4294967296, 4294967296] is larger than any memory"},
      {shape("(2,)"), "an array of u8[2] takes 2 bytes, but 1 follow the header: the file is cut short"},
      {shape("(0,)"), "an array of u8[0] takes 0 bytes, but 1 follow the header"},
      {shape("(1099511627776,)"),
       "an array of u8[1099511627776] takes 1099511627776 bytes, but 1 follow the header: the file is cut short"},
  };
  for (const auto& broken : cases)
    expect_error([&] { parse(broken.bytes); }, ErrorKind::data, "[npy] 'x': " + broken.message);
}

TEST(Npy, WhatCannotBeWritten) {
  const ScratchFolder folder;
  expect_error([&] { write_npy(folder.file("a.npy"), host_tensor(DType::bf16, {2})); }, ErrorKind::usage,
               "[npy] NumPy has no element type bf16: convert to f32 first");
  expect_error([&] { read_npy(folder.file("a.npy")); }, ErrorKind::data,
               "[npy] cannot open '" + folder.file("a.npy") + "': No such file or directory: check the path");
  EXPECT_EQ(folder.entries(), 0);
}

}  // namespace
}  // namespace strata::io
