// SPDX-License-Identifier: Apache-2.0
#include "app/program.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "app/command.hpp"
#include "build_info.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"

namespace strata::app {
namespace {

struct Command {
  std::string_view name, summary;
  Action (*add)(CLI::App&);
};

constexpr std::array kCommands{
    Command{"info", "what this build can do: compiler, processor, libraries, kernels, transports", add_info},
    Command{"ingest", "a tree of DICOM, NIfTI or .npy files to study shards, on any number of ranks", add_ingest},
    Command{"train", "language-image pre-training on study shards and their reports, on any number of ranks",
            add_train},
    Command{"eval", "a trained model on held-out studies: zero-shot AUROC with intervals, F1, retrieval", add_eval},
    Command{"selftest", "in under two minutes: every op on every backend, gradients, a small training run",
            add_selftest},
    Command{"bench", "how fast this machine trains, in how much memory, and where the time goes", add_bench},
    Command{"vocab", "reports to a WordPiece vocabulary, for text towers trained from scratch", add_vocab},
    Command{"embed", "weights and a volume to study embeddings", add_embed},
    Command{"export", "a checkpoint to weights that open_clip, timm and transformers load", add_export},
    Command{"phantom", "synthetic head-CT studies as DICOM files, with reports and labels", add_phantom},
    Command{"inspect", "what a set of study shards holds, and whether it is whole", add_inspect},
    Command{"plot", "what runs recorded, as curves in one picture", add_plot},
    Command{"view", "a study as a picture: series by slices, windowed, with an overlay", add_view},
};

[[noreturn]] void unknown_command(std::string_view name) {
  std::array<std::string_view, kCommands.size()> names;
  std::ranges::transform(kCommands, names.begin(), &Command::name);
  const auto near = nearest_name(name, names);
  fail(ErrorKind::usage, "arguments", fmt::format("there is no command '{}'", name),
       near.empty() ? "strata --help lists the commands" : fmt::format("did you mean '{}'?", near));
}

// CLI11 says what was wrong; the nearest option's name is ours to add.
[[noreturn]] void bad_arguments(const CLI::App& command, const CLI::ParseError& error,
                                std::span<const std::string> arguments) {
  const auto below = command.get_subcommands([](const CLI::App* sub) { return sub->parsed(); });
  const CLI::App& parser = below.empty() || command.get_parent() == nullptr ? command : *below.front();
  std::vector<std::string> known;
  for (const auto* option : parser.get_options()) known.push_back(option->get_name());
  std::string hint = parser.get_parent() == nullptr
                         ? "strata --help lists the commands"
                         : fmt::format("strata {} --help lists the options", parser.get_name());
  for (const auto& argument : arguments) {
    if (!argument.starts_with("--")) continue;
    const auto name = argument.substr(0, argument.find('='));
    const auto near = nearest_name(name, known);
    if (!near.empty() && near != name) hint = fmt::format("did you mean '{}'?", near);
  }
  fail(ErrorKind::usage, "arguments", error.what(), hint);
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void parse_and_run(std::vector<std::string> arguments) {
  CLI::App parser("Strata: trains hierarchical vision transformers on volumes, on one core or many nodes.", "strata");
  parser.set_version_flag("--version", fmt::format("strata {} ({})", build_info::kVersion, build_info::kCommit));
  std::vector<std::pair<CLI::App*, Action>> commands;
  for (const auto& command : kCommands) {
    CLI::App* sub = parser.add_subcommand(std::string(command.name), std::string(command.summary));
    commands.emplace_back(sub, command.add(*sub));
  }
  if (arguments.empty()) {
    print(parser.help());
    fail(ErrorKind::usage, "arguments", "no command was given", "strata info shows that the build works");
  }
  const std::string first = arguments.front();
  const auto at = std::ranges::find(commands, first, [](const auto& command) { return command.first->get_name(); });
  if (!first.starts_with("-") && at == commands.end()) unknown_command(first);
  const CLI::App& chosen = at == commands.end() ? parser : *at->first;
  try {
    parser.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back
  } catch (const CLI::CallForHelp&) {
    return print(chosen.get_parent() == nullptr ? parser.help() : chosen.help("strata"));
  } catch (const CLI::CallForVersion& version) {
    return print(std::string(version.what()) + "\n");
  } catch (const CLI::ParseError& error) {
    bad_arguments(chosen, error, arguments);
  }
  for (const auto& [sub, action] : commands)
    if (sub->parsed()) action();
}

[[noreturn]] void output_failed() {
  fail(ErrorKind::environment, "output", "standard output could not be written",
       "is the disk full, or the reader gone?");
}

// Whatever stopped in the middle because its text could not be written stopped for that reason.
void run_and_flush(std::vector<std::string> arguments) {
  try {
    parse_and_run(std::move(arguments));
  } catch (const std::system_error&) {
    if (std::ferror(stdout) != 0) output_failed();
    throw;
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) output_failed();
}

}  // namespace

int report(const Error& error) {
  std::fflush(stdout);
  const std::string block = error.block();
  std::fwrite(block.data(), 1, block.size(), stderr);
  return error.exit_code();
}

int run(int argc, const char* const* argv) {
  try {
    run_and_flush(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
    return 0;
  } catch (const comm::ReportedElsewhere& error) {
    return error.exit_code();
  } catch (const Error& error) {
    return report(error);
  } catch (const std::bad_alloc&) {
    return report(Error(ErrorKind::environment, "memory", "the system has no memory left",
                        "use a smaller model or volume", std::source_location::current()));
  } catch (const std::exception& error) {
    return report(Error(ErrorKind::internal, "program", error.what(),
                        "this is a bug in Strata: please report it with this block", std::source_location::current()));
  }
}

}  // namespace strata::app
