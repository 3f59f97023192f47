// SPDX-License-Identifier: Apache-2.0
#include "strata/config/compose.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "strata/base/error.hpp"

namespace strata::config {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

class ConfigCompose : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            ("strata_compose_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    write("model/small.yaml", "width: 64\ndepth: 2\n");
    write("model/large.yaml", "defaults: [small]\nwidth: 768\n");
    write("text/bert.yaml", "layers: 12\n");
    write("text/tiny.yaml", "layers: 2\n");
    write("eval/cq500.yaml", "sets: {cq500: 1}\n");
    write("eval/rsna.yaml", "sets: {rsna: 2}\n");
    write("run/base.yaml",
          "defaults:\n  - model: small\n  - text@model.text: bert\nsteps: 10\noptim: {lr: 1, wd: 2}\n");
    write("run/quick.yaml", "defaults: [base]\nsteps: 5\noptim:\n  lr: 3\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  Composed composed(const std::string& name, const Strings& overrides = {}) const {
    const Strings folders{root_.string()};
    return compose(folders, name, overrides);
  }
  std::string dump(const std::string& name, const Strings& overrides = {}) const {
    return composed(name, overrides).config.dump();
  }
  std::string error_of(const std::string& name, const Strings& overrides = {}) const {
    try {
      composed(name, overrides);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return error.what();
    }
    return "no error";
  }

  fs::path root_;
};

void expect_contains(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (const auto part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << "\n in: " << text;
}

TEST_F(ConfigCompose, PutsFilesTogetherByName) {
  const Composed result = composed("run/quick");
  EXPECT_EQ(result.config.dump(),
            "model:\n  width: 64\n  depth: 2\n  text:\n    layers: 12\nsteps: 5\noptim:\n  lr: 3\n  wd: 2\n");
  EXPECT_EQ(result.files.size(), 4u);
  EXPECT_EQ(result.choices, (std::vector<std::pair<std::string, std::string>>{{"model", "small"}, {"text", "bert"}}));
  EXPECT_EQ(result.config.at("optim").at("wd").where(), (root_ / "run/base.yaml").string() + ":5");
  EXPECT_EQ(result.config.at("optim").at("lr").where(), (root_ / "run/quick.yaml").string() + ":4");
}

TEST_F(ConfigCompose, ChoicesAndValuesAreOverriddenInOrder) {
  EXPECT_EQ(dump("run/quick", {"model=large", "optim.lr=1e-4", "model.depth=3", "text@model.text=tiny"}),
            "model:\n  width: 768\n  depth: 3\n  text:\n    layers: 2\nsteps: 5\noptim:\n  lr: 1e-4\n  wd: 2\n");
  EXPECT_EQ(dump("run/quick", {"steps=1", "steps=2", "~model", "~optim.wd", "new.key=[1, a]"}),
            "steps: 2\noptim:\n  lr: 3\nnew:\n  key: [1, a]\n");
  EXPECT_EQ(dump("run/quick", {"model=null", "text@model.text=null", "optim={wd: 7, x: {y: 1}}"}),
            "steps: 5\noptim:\n  lr: 3\n  wd: 7\n  x:\n    y: 1\n");
  EXPECT_EQ(dump("model/small", {"model=large", "model=small"}),
            "width: 64\ndepth: 2\nmodel:\n  width: 64\n  depth: 2\n");
  const Node lr = composed("run/quick", {"optim.lr=4"}).config.at("optim").at("lr");
  EXPECT_EQ(lr.where(), "command line: optim.lr=4");
}

TEST_F(ConfigCompose, SeveralChoicesOfAGroupMerge) {
  write("run/many.yaml", "defaults:\n  - eval: [cq500, rsna]\n");
  EXPECT_EQ(dump("run/many"), "eval:\n  sets:\n    cq500: 1\n    rsna: 2\n");
  EXPECT_EQ(dump("run/many", {"eval=rsna"}), "eval:\n  sets:\n    rsna: 2\n");
  EXPECT_EQ(dump("model/small", {"eval=[rsna, cq500]"}),
            "width: 64\ndepth: 2\neval:\n  sets:\n    rsna: 2\n    cq500: 1\n");
}

TEST_F(ConfigCompose, SelfSaysWhereOwnKeysStand) {
  write("run/first.yaml", "defaults: [_self_, base]\nsteps: 5\n");
  EXPECT_EQ(composed("run/first").config.at("steps").as<int>(), 10);
  write("run/here.yaml", "defaults:\n  - model@_here_: small\nwidth: 1\n");
  EXPECT_EQ(dump("run/here"), "width: 1\ndepth: 2\n");
}

TEST_F(ConfigCompose, AFileOverridesAChoiceThatItInherits) {
  write("run/big.yaml", "defaults:\n  - base\n  - override model: large\n");
  EXPECT_EQ(composed("run/big").config.at("model").at("width").as<int>(), 768);
  EXPECT_EQ(composed("run/big", {"model=small"}).config.at("model").at("width").as<int>(), 64);
  write("run/wrong.yaml", "defaults:\n  - base\n  - override eval: rsna\n");
  expect_contains(error_of("run/wrong"), {"run/wrong.yaml:3", "override 'eval' has nothing to override"});
}

TEST_F(ConfigCompose, FilesOfAUserStandBesideTheFolders) {
  write("mine/own.yaml", "steps: 7\n");
  write("mine/start.yaml", "defaults: [own, run/base]\noptim: {lr: 9}\n");
  EXPECT_EQ(composed((root_ / "mine/start.yaml").string()).config.at("steps").as<int>(), 10);
  const Strings two{(root_ / "user").string(), root_.string()};
  write("user/model/small.yaml", "width: 1\n");
  EXPECT_EQ(compose(two, "run/quick", {}).config.at("model").at("width").as<int>(), 1);
  EXPECT_EQ(choices_of(two, "model"), (Strings{"large", "small"}));
}

TEST_F(ConfigCompose, ListItemsAreReached) {
  write("run/list.yaml", "sets:\n  - {path: a}\n  - {path: b, weight: [1, 2]}\n");
  EXPECT_EQ(dump("run/list", {"sets[1].weight[0]=9", "sets[0].x=1"}),
            "sets:\n  - path: a\n    x: 1\n  - path: b\n    weight: [9, 2]\n");
  EXPECT_EQ(dump("run/list", {"~sets[0]"}), "sets:\n  - path: b\n    weight: [1, 2]\n");
  expect_contains(error_of("run/list", {"sets[2].x=1"}), {"sets[2].x=1", "item 2 of 'sets', which has 2"});
  expect_contains(error_of("run/list", {"sets.x=1"}), {"a key of 'sets', which is a list"});
}

TEST_F(ConfigCompose, ErrorsNameFileAndNearest) {
  expect_contains(error_of("run/quik"), {"no configuration 'run/quik'", "is 'quick' meant?"});
  expect_contains(error_of("run/quick", {"model=smoll"}), {"command line", "'model/smoll'", "is 'small' meant?"});
  write("run/bad.yaml", "defaults:\n  - base\n  - model: elephantine\n");
  expect_contains(error_of("run/bad"), {"run/bad.yaml:3", "'model/elephantine'", "there are large, small"});
  write("run/bad.yaml", "defaults: [../../etc/passwd]\n");
  expect_contains(error_of("run/bad"), {"run/bad.yaml:1", "no name"});
  write("run/bad.yaml", "defaults: base\n");
  expect_contains(error_of("run/bad"), {"no list"});
  write("run/bad.yaml", "defaults:\n  - {model: small, text: bert}\n");
  expect_contains(error_of("run/bad"), {"one pair"});
  write("run/bad.yaml", "defaults: [_self_, _self_]\n");
  expect_contains(error_of("run/bad"), {"stands twice"});
  write("run/bad.yaml", "[1, 2]\n");
  expect_contains(error_of("run/bad"), {"no map"});
  expect_contains(error_of((root_ / "absent.yaml").string()), {"there is no file"});
}

TEST_F(ConfigCompose, CirclesAndTowersEnd) {
  write("run/a.yaml", "defaults: [b]\n");
  write("run/b.yaml", "defaults: [a]\n");
  expect_contains(error_of("run/a"), {"its own defaults", "->"});
  for (int i = 0; i < 12; ++i)
    write("wide/f" + std::to_string(i) + ".yaml",
          "defaults: [f" + std::to_string(i + 1) + ", f" + std::to_string(i + 1) + "]\n");
  write("wide/f12.yaml", "x: 1\n");
  expect_contains(error_of("wide/f0"), {"one file too many"});
}

TEST_F(ConfigCompose, BadOverridesSayWhatIsWrong) {
  for (const auto* text : {"steps", "=1", "a..b=1", ".a=1", "a.=1", "a[x]=1", "a[1=2", "[0]=1", "a[0]b=1", "~", "~a=1",
                           "steps.x=1", "~optim.lrr", "a=[1"}) {
    const auto error = error_of("run/quick", {text});
    EXPECT_NE(error.find("override"), std::string::npos) << text << ": " << error;
  }
  expect_contains(error_of("run/quick", {"~optim.lrr"}), {"is 'lr' meant?"});
  expect_contains(error_of("run/quick", {"steps.x=1"}), {"a key of 'steps', which is a single value"});
}

}  // namespace
}  // namespace strata::config
