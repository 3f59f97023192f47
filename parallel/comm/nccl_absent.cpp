// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/nccl.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {

bool nccl_is_built() { return false; }
std::string nccl_description() { return "it comes with the cuda backend, where NCCL is found"; }

std::unique_ptr<Communicator> make_nccl(std::shared_ptr<Communicator>, std::shared_ptr<Backend>, const NcclOptions&) {
  fail(ErrorKind::environment, "nccl", "this build has no NCCL transport",
       "configure with the preset cuda-release where nccl.h and libnccl.so are, or use comm.transport=staged");
}

}  // namespace strata::comm
