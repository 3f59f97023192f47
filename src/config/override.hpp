// SPDX-License-Identifier: Apache-2.0
//
// Trees out of trees: merging, placing under a path, and the parts of an override.
#pragma once

#include <string>
#include <string_view>

#include "config/value.hpp"
#include "strata/config/compose.hpp"

namespace strata::config {

struct Override {
  std::string path;
  ValuePtr value;  // none: take away
};

Override parse_override(const std::string& text);

// `base` may be a null pointer; maps merge key by key.
ValuePtr merged(const ValuePtr& base, const ValuePtr& over);

// {a: {b: value}} for the path "a.b"; the value itself for an empty path.
ValuePtr placed(std::string_view path, const ValuePtr& value);

}  // namespace strata::config
