// Persistent reservations on disk, in SCST's format (scsi.md 14.6), so that those of a kernel SCST are taken over:
// FILE, and FILE.1 while FILE is being written. Numbers are in the machine's byte order. load and save block: they run
// on the blocking pool.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/result.h"
#include "engine/target/persistent_reservations.h"

namespace uscst::target {

inline constexpr std::uint64_t kReservationFileSignature = 0xBBEEEEAAEEBBDD77;
inline constexpr std::uint64_t kReservationFileVersion = 1;
inline constexpr std::size_t kMaximumReservationFileBytes = 15u * 1024 * 1024;  // SCST refuses files of this size

std::vector<std::uint8_t> encode_reservations(const ReservationState& state);
// EINVAL for a wrong signature or version, a record that is cut, a nexus that is there twice, a reservation without its
// holder. One byte behind the last record is ignored, as SCST does.
base::Result<ReservationState> decode_reservations(base::Bytes file);

// What FILE says, or else FILE.1; an empty state where there is neither. Errors: decode's, open(2)'s and read(2)'s.
base::Result<ReservationState> load_reservations(const std::string& file);
// Makes FILE say this, or removes both where nothing has to persist. When it returns, the medium has it. At every
// moment one of the two is whole. 0 or a negative errno.
int save_reservations(const std::string& file, const ReservationState& state);

// The rules of `pr_file_name`: absolute, a regular file or block device if it exists (EINVAL), in a directory that
// exists (ENOENT).
base::Status check_reservation_file_name(const std::string& file);

}  // namespace uscst::target
