// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include "app/program.hpp"

int main(int argc, char** argv) {
  std::signal(SIGXFSZ,
              SIG_IGN);  // a limit on file sizes is then an error of the write that meets it, not a silent death
  return strata::app::run(argc, argv);
}
