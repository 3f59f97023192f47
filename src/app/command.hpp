// SPDX-License-Identifier: Apache-2.0
//
// A subcommand: cmd_<name>.cpp adds its options to CLI11's parser and returns what to do once they are parsed. Results
// go to standard output, everything else to standard error; failures are thrown.
#pragma once

#include <CLI/App.hpp>
#include <functional>

namespace strata::app {

using Action = std::function<void()>;

Action add_info(CLI::App& parser);
Action add_ingest(CLI::App& parser);
Action add_train(CLI::App& parser);
Action add_eval(CLI::App& parser);
Action add_embed(CLI::App& parser);
Action add_export(CLI::App& parser);
Action add_bench(CLI::App& parser);
Action add_selftest(CLI::App& parser);
Action add_phantom(CLI::App& parser);
Action add_inspect(CLI::App& parser);
Action add_view(CLI::App& parser);
Action add_vocab(CLI::App& parser);
Action add_plot(CLI::App& parser);

}  // namespace strata::app
