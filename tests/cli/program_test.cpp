// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "app/program.hpp"
#include "app/wiring.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::cli {
namespace {

TEST(Program, HelpAndVersion) {
  const Outcome help = strata("--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("Usage: strata"), std::string::npos) << help.out;
  for (const char* command : {"info", "bench", "embed", "selftest"}) {
    EXPECT_NE(help.out.find(command), std::string::npos) << command;
    const Outcome sub = strata(std::string(command) + " --help");
    EXPECT_EQ(sub.code, 0) << command;
    EXPECT_NE(sub.out.find(std::string("Usage: strata ") + command), std::string::npos) << sub.out;
  }
  const Outcome version = strata("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(version.out.starts_with("strata 0.")) << version.out;
}

TEST(Program, ArgumentsThatAreNotUnderstood) {
  expect_failure("inof", 2, "error (usage): [arguments] there is no command 'inof'\n  try:   did you mean 'info'?\n");
  expect_failure(
      "zzzzzzzzzz", 2,
      "error (usage): [arguments] there is no command 'zzzzzzzzzz'\n  try:   strata --help lists the commands\n");
  expect_failure(
      "info --hepl", 2,
      "error (usage): [arguments] The following argument was not expected: --hepl\n  try:   did you mean '--help'?\n");
  expect_failure("info surplus", 2,
                 "error (usage): [arguments] The following argument was not expected: surplus\n  try:   strata info "
                 "--help lists the options\n");
  expect_failure("--versoin", 2,
                 "error (usage): [arguments] The following argument was not expected: --versoin\n  try:   did you mean "
                 "'--version'?\n");
  expect_failure("", 2,
                 "error (usage): [arguments] no command was given\n  try:   strata info shows that the build works\n");
}

TEST(Program, OutputThatCannotBeWritten) {
  const Outcome outcome = strata("info", "/dev/full");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_EQ(block(outcome),
            "error (environment): [output] standard output could not be written\n  try:   is the disk full, or the "
            "reader gone?\n");
}

// What no command can be made to do here: each kind of error has its exit code.
TEST(Program, EveryKindHasItsExitCode) {
  const std::pair<ErrorKind, int> kinds[] = {
      {ErrorKind::internal, 1}, {ErrorKind::usage, 2},         {ErrorKind::data, 3},    {ErrorKind::environment, 4},
      {ErrorKind::numeric, 5},  {ErrorKind::communication, 6}, {ErrorKind::timeout, 7}, {ErrorKind::checkpoint, 8}};
  for (const auto& [kind, code] : kinds) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(app::report(Error(kind, "subject", "what", "hint", std::source_location::current())), code);
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(
        text.starts_with("error (" + std::string(name_of(kind)) + "): [subject] what\n  where: program_test.cpp:"))
        << text;
    EXPECT_TRUE(text.ends_with("\n  try:   hint\n")) << text;
  }
}

TEST(Program, InfoNamesBuildLibrariesKernelsAndTransports) {
  const Outcome info = strata("info");
  EXPECT_EQ(info.code, 0);
  EXPECT_EQ(info.err, "");
  for (const char* part : {"strata 0.", "compiler", "oneDNN", "OpenMP", "MPI", "fmt", "kernels of", "  softmax ",
                           "reference", "transports", "  local ", "  thread ", "  mpi "})
    EXPECT_NE(info.out.find(part), std::string::npos) << part << " is not in\n" << info.out;
}

// The whole of it is the CTest entry cli.selftest.
TEST(Program, SelftestOfOneOp) {
  const Outcome softmax = strata("selftest --op softmax");
  EXPECT_EQ(softmax.code, 0) << softmax.out;
  EXPECT_NE(softmax.out.find(" passed, 0 failed in "), std::string::npos) << softmax.out;
  EXPECT_EQ(softmax.out.find("\n0 passed"), std::string::npos) << softmax.out;
  expect_failure("selftest --op sotfmax", 2,
                 "error (usage): [selftest] there is no op 'sotfmax'\n  try:   did you mean 'softmax'?\n");
}

TEST(Program, SelftestOfTheTrainingOnOneBackend) {
  const Outcome training = strata("selftest --training --backend reference");
  EXPECT_EQ(training.code, 0) << training.out;
  for (const char* part : {"training in f32", "training in bf16", "relative difference 0.0e+00", "6 passed, 0 failed"})
    EXPECT_NE(training.out.find(part), std::string::npos) << part << "\n" << training.out;
  EXPECT_EQ(training.out.find("softmax"), std::string::npos) << training.out;
  expect_failure(
      "selftest --backend abacus", 4,
      "error (environment): [test backends] 'abacus' is not to be had here\n  try:   it was not built, or its "
      "device is missing: strata info says which\n");
}

TEST(Wiring, BackendsByName) {
  EXPECT_EQ(app::wire_backend("reference").backend()->name(), "reference");
  EXPECT_EQ(app::wire_backend().backend()->name(), app::preferred_backend());
  fixtures::expect_error([] { app::wire_backend("references"); }, ErrorKind::usage,
                         "[backend] this build has no backend 'references': did you mean 'reference'?");
  const auto message = fixtures::message_of([] { app::wire_backend("tpuvwxyzabc"); }, ErrorKind::usage);
  EXPECT_TRUE(message.starts_with("[backend] this build has no backend 'tpuvwxyzabc': use one of: ")) << message;
}

}  // namespace
}  // namespace strata::cli
