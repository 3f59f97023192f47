// SPDX-License-Identifier: Apache-2.0
//
// Who a made-up patient is, and who shares a patient.
#pragma once

#include <cstdint>
#include <string>

namespace strata::phantom {

struct Patient {
  std::int64_t number = 0;  // unique over the set
  std::string id{}, name{}, birth_date{}, sex{}, address{}, other_id{};
  int birth_year = 0;
};

// The patient of a study, and which of the patient's studies it is (0, 1, …).
struct Visit {
  Patient patient{};
  int number = 0;
};
Visit visit_of(std::uint64_t seed, std::int64_t study);

// Four hexadecimal digits that tell sets of different seeds apart in numbers of patients and requests.
std::string tag_of(std::uint64_t seed);

// "2.25.<UUID as a decimal number>" for thing `part` of kind `layer` of a study.
std::string uid_of(std::uint64_t seed, std::int64_t study, std::uint32_t layer, std::uint32_t part);

}  // namespace strata::phantom
