// SPDX-License-Identifier: Apache-2.0
//
// Values as bytes between ranks of one job: same program, same byte order, nothing hostile. Not a file format.
#pragma once

#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "strata/base/error.hpp"

namespace strata::comm {

class Packer {
 public:
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void put(const std::string& text) {
    put(text.size());
    bytes_ += text;
  }
  template <class T>
  void put(const std::vector<T>& values) {
    put(values.size());
    for (const auto& value : values) put(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Unpacker {
 public:
  explicit Unpacker(const std::string& bytes) : bytes_(&bytes) {}

  bool done() const { return at_ == bytes_->size(); }
  template <class T>
  T get() {
    T value{};
    fill(value);
    return value;
  }

 private:
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void fill(T& value) { std::memcpy(&value, next(sizeof value), sizeof value); }
  void fill(std::string& text) {
    const auto size = get<std::size_t>();
    text.assign(next(size), size);
  }
  template <class T>
  void fill(std::vector<T>& values) {
    values.resize(get<std::size_t>());
    for (auto& value : values) fill(value);
  }
  const char* next(std::size_t size) {
    STRATA_CHECK(size <= bytes_->size() - at_, internal, "pack", "bytes from another rank end too early");
    const char* from = bytes_->data() + at_;
    at_ += size;
    return from;
  }

  const std::string* bytes_;
  std::size_t at_ = 0;
};

}  // namespace strata::comm
