// SPDX-License-Identifier: Apache-2.0
#include "app/label_set.hpp"

#include "app/config_file.hpp"
#include "strata/config/compose.hpp"

namespace strata::app {

engine::ZeroShotSpec read_label_set(const std::string& name, const std::vector<std::string>& overrides) {
  const std::string file = config_file("eval", name);
  return engine::zero_shot_schema().read(config::compose(config_folders(), file, overrides).config);
}

}  // namespace strata::app
