// SPDX-License-Identifier: Apache-2.0
#include "io/phantom/patient.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "io/phantom/draws.hpp"

namespace strata::phantom {
namespace {

constexpr std::array kFamilies{"Ashgrove",   "Birkenfeld",  "Castellane", "Dunmarrow",  "Eskildsen",    "Fairweather",
                               "Grünwald",   "Hartlepool",  "Iversholm",  "Jämsänen",   "Kestrelby",    "Lindqvist",
                               "Müllenbach", "Northgate",   "Ølgaard",    "Peñaflor",   "Quillfeather", "Rosenthorn",
                               "Santibáñez", "Thistlewood", "Ulverston",  "Vandermeer", "Wexcombe",     "Yarrowdale"};
constexpr std::array kGivenF{"Adelheid",  "Beatrix", "Clémence", "Dorothea", "Eleonora",
                             "Felicitas", "Guðrún",  "Henrike",  "Isolde",   "Jadwiga"};
constexpr std::array kGivenM{"Anselm",    "Balthazar", "Cornelius", "Dietmar",  "Eberhard",
                             "Ferdinand", "Gösta",     "Hyacinth",  "Ignatius", "Joaquín"};
constexpr std::array kStreets{"Foxglove Lane", "Marigold Street", "Tamarind Road", "Juniper Court", "Old Ropewalk"};

// Which of the four studies of a block share a patient: the patient's number in the block, in order.
constexpr std::array<std::array<int, 4>, 5> kShared{
    {{0, 1, 2, 3}, {0, 0, 1, 2}, {0, 1, 0, 1}, {0, 1, 1, 1}, {0, 1, 2, 3}}};

}  // namespace

std::string tag_of(std::uint64_t seed) {
  return fmt::format("{:04x}", Draws(seed, Stream::patients, 0, 2).word() >> 16);
}

Visit visit_of(std::uint64_t seed, std::int64_t study) {
  const std::int64_t block = study / 4;
  const auto in_block = static_cast<std::size_t>(study % 4);
  Draws blocks(seed, Stream::patients, block);
  const auto& shared = blocks.pick(kShared);
  Visit visit;
  Patient& patient = visit.patient;
  patient.number = block * 4 + shared[in_block];
  visit.number = static_cast<int>(std::count(shared.begin(), shared.begin() + in_block, shared[in_block]));

  Draws draws(seed, Stream::patients, patient.number, 1);
  const bool female = draws.chance(0.5);
  patient.sex = female ? "F" : "M";
  const std::string given = female ? draws.pick(kGivenF) : draws.pick(kGivenM);
  patient.name = fmt::format("{}^{}", draws.pick(kFamilies), given);
  patient.id = fmt::format("PH{}-{:07d}", tag_of(seed), patient.number + 1);
  patient.other_id = fmt::format("INS-{:08d}", draws.below(100'000'000));
  patient.birth_year = 1925 + static_cast<int>(draws.below(75));
  const auto month = 1 + draws.below(12), day = 1 + draws.below(28), house = 1 + draws.below(199);
  patient.birth_date = fmt::format("{}{:02d}{:02d}", patient.birth_year, month, day);
  patient.address = fmt::format("{} {}", house, draws.pick(kStreets));
  return visit;
}

std::string uid_of(std::uint64_t seed, std::int64_t study, std::uint32_t layer, std::uint32_t part) {
  Draws draws(seed, Stream::uids, study * 64 + layer, part);
  std::array<std::uint32_t, 4> words{draws.word(), draws.word(), draws.word(), draws.word()};
  words[1] = (words[1] & 0xffff0fffu) | 0x4000u;      // a random UUID (RFC 4122, version 4)
  words[2] = (words[2] & 0x3fffffffu) | 0x80000000u;  // of its variant
  std::string digits;                                 // long division by ten of the 128-bit number
  while (std::ranges::any_of(words, [](std::uint32_t word) { return word != 0; })) {
    std::uint64_t rest = 0;
    for (auto& word : words) {
      rest = (rest << 32) | word;
      word = static_cast<std::uint32_t>(rest / 10);
      rest %= 10;
    }
    digits += static_cast<char>('0' + rest);
  }
  return "2.25." + std::string(digits.rbegin(), digits.rend());
}

}  // namespace strata::phantom
