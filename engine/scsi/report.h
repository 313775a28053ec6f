// Answers that the engine gives for every device: REPORT SUPPORTED OPERATION CODES and TASK MANAGEMENT FUNCTIONS
// (SPC-5 6.35, 6.36), REQUEST SENSE (SPC-5 6.39). Pure, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/scsi/cdb.h"
#include "engine/scsi/sense.h"

namespace uscst::scsi {

// Reporting options 0 (all), 1 (one operation code) and 2 (one with service action), each with or without RCTD.
SenseResult<std::vector<std::uint8_t>> report_supported_opcodes(const DecodedCdb& cdb, const DeviceTraits& traits);

// ABORT TASK, ABORT TASK SET, CLEAR ACA, CLEAR TASK SET, LOGICAL UNIT RESET; with REPD their time-outs.
std::vector<std::uint8_t> report_supported_task_management(const DecodedCdb& cdb);

// `pending`: what the unit has to tell this nexus (a unit attention, 5/25/00 for an unmapped LUN), kNoSense if nothing.
// DESC asks for descriptor format.
std::vector<std::uint8_t> request_sense(const DecodedCdb& cdb, const Sense& pending);

}  // namespace uscst::scsi
