// SPDX-License-Identifier: Apache-2.0
//
// A scratch folder that rank 0 makes and all ranks see. It goes when all of them have left it.
#pragma once

#include <optional>
#include <string>

#include "strata/comm/bytes.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::testing {

class SharedFolder {
 public:
  explicit SharedFolder(comm::Communicator& world) : world_(world) {
    if (world.rank() == 0) own_.emplace();
    path_ = comm::broadcast_text(world, own_ ? own_->path().string() : std::string());
  }
  ~SharedFolder() { world_.barrier().wait(); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  comm::Communicator& world_;
  std::optional<fixtures::ScratchFolder> own_;
  std::string path_;
};

}  // namespace strata::testing
