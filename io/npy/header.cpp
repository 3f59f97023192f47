// SPDX-License-Identifier: Apache-2.0
#include "io/npy/header.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

struct Type {
  std::string_view code;  // without the byte order
  DType dtype;
};

constexpr std::array<Type, 6> kTypes{{{"f4", DType::f32},
                                      {"f8", DType::f64},
                                      {"i2", DType::i16},
                                      {"i4", DType::i32},
                                      {"i8", DType::i64},
                                      {"u1", DType::u8}}};
constexpr std::string_view kConvert = "save it as float32: numpy.save(path, array.astype('<f4'))";

// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      field();
      if (accept(',')) continue;
      expect('}');
      break;
    }
    for (std::size_t i = 0; i < kKeys.size(); ++i)
      if (!seen_[i]) bad(fmt::format("the header has no {}", kKeys[i]));
    if (text_.find_first_not_of(' ', at_) != text_.size() - 1 || text_.back() != '\n')
      bad("the header does not end in blanks and a line feed");
    if (!checked_bytes(extents_, size_of(header_.dtype)))
      bad(fmt::format("an array of {}[{}] is larger than any memory", name_of(header_.dtype),
                      fmt::join(extents_, ", ")),
          "");
    header_.shape = Shape(std::span<const std::int64_t>(extents_));
    return header_;
  }

 private:
  static constexpr std::array<std::string_view, 3> kKeys{"descr", "fortran_order", "shape"};

  [[noreturn]] void bad(const std::string& what,
                        std::string_view hint = "the file is damaged or was not written by NumPy") const {
    fail(ErrorKind::data, "npy", fmt::format("{}: {}", printable(path_, 400), what), hint);
  }
  [[noreturn]] void bad_here(std::string_view wanted) const {
    bad(fmt::format("the header has no {} at character {}", wanted, at_));
  }

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  bool accept(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) bad_here(fmt::format("'{}'", c));
  }

  bool accept_word(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string_view string() {
    skip_blanks();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) bad_here("string");
    const auto end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) bad_here("closed string");
    const auto value = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return value;
  }

  void field() {
    const auto key = string();
    const auto at = std::ranges::find(kKeys, key);
    if (at == kKeys.end()) bad(fmt::format("the header has the unknown key {}", printable(key)));
    if (std::exchange(seen_[static_cast<std::size_t>(at - kKeys.begin())], true))
      bad(fmt::format("{} stands twice", key));
    expect(':');
    if (key == "descr") return type();
    if (key == "shape") return shape();
    header_.fortran_order = accept_word("True");
    if (!header_.fortran_order && !accept_word("False")) bad_here("True or False");
  }

  void type() {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '[') bad("structured arrays are not read", kConvert);
    const auto descr = string();
    const auto known = descr.size() < 2 ? kTypes.end() : std::ranges::find(kTypes, descr.substr(1), &Type::code);
    const bool order_fits =
        !descr.empty() && (descr[0] == '<' || descr[0] == '>' || (descr[0] == '|' && descr.substr(1) == "u1"));
    if (known == kTypes.end() || !order_fits)
      bad(fmt::format("elements of type {} are not read, only f4 f8 i2 i4 i8 u1", printable(descr)), kConvert);
    header_.dtype = known->dtype;
    header_.big_endian = descr[0] == '>';
  }

  void shape() {
    bool comma = true;
    expect('(');
    while (!accept(')')) {
      if (!comma) bad_here("','");
      if (extents_.size() == kMaxDims) bad(fmt::format("the array has more than {} dimensions", kMaxDims));
      extents_.push_back(extent());
      comma = accept(',');
    }
    if (extents_.size() == 1 && !comma) bad("shape is a number in brackets, not a tuple");
  }

  std::int64_t extent() {
    skip_blanks();
    const std::size_t begin = at_;
    std::int64_t value = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      const std::int64_t digit = text_[at_++] - '0';
      if (__builtin_mul_overflow(value, std::int64_t{10}, &value) || __builtin_add_overflow(value, digit, &value))
        bad("shape has an extent beyond 63 bits");
    }
    if (at_ == begin) bad_here("extent");
    return value;
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  std::array<bool, 3> seen_{};
  std::vector<std::int64_t> extents_;
  NpyHeader header_;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& path) { return Parser(text, path).parse(); }

std::string build_npy_header(const TensorSpec& spec) {
  const auto type = std::ranges::find(kTypes, spec.dtype, &Type::dtype);
  STRATA_CHECK(type != kTypes.end(), usage, "npy", fmt::format("NumPy has no element type {}", name_of(spec.dtype)),
               "convert to f32 first");
  std::string shape;
  for (const auto extent : spec.shape.extents()) shape += fmt::format("{}, ", extent);
  if (spec.shape.ndim() > 1) shape.resize(shape.size() - 2);
  if (spec.shape.ndim() == 1) shape.pop_back();
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 spec.dtype == DType::u8 ? '|' : '<', type->code, shape);
  text.append((64 - (10 + text.size() + 1) % 64) % 64, ' ');
  text += '\n';
  std::string head("\x93NUMPY\1\0", 8);
  head += static_cast<char>(text.size() & 0xffu);
  head += static_cast<char>(text.size() >> 8);
  return head + text;
}

}  // namespace strata::io
