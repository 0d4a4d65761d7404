// Early return of errors, inside Sluice.

#ifndef SLUICE_IPC_UTIL_INTERNAL_STATUS_MACROS_H_
#define SLUICE_IPC_UTIL_INTERNAL_STATUS_MACROS_H_

#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SLUICE_INTERNAL_CONCAT_(a, b) a##b
#define SLUICE_INTERNAL_CONCAT(a, b) SLUICE_INTERNAL_CONCAT_(a, b)

// Returns from the function when `expression`, a Status, is not OK.
#define SLUICE_RETURN_IF_ERROR(expression)                             \
  do {                                                                 \
    absl::Status sluice_status = (expression);                         \
    if (ABSL_PREDICT_FALSE(!sluice_status.ok())) return sluice_status; \
  } while (false)

// `target` = the value of `expression`, a StatusOr; returns from the function when it has none.
#define SLUICE_ASSIGN_OR_RETURN(target, expression) \
  SLUICE_INTERNAL_ASSIGN_OR_RETURN(SLUICE_INTERNAL_CONCAT(sluice_result_, __LINE__), target, expression)
#define SLUICE_INTERNAL_ASSIGN_OR_RETURN(result, target, expression)       \
  auto result = (expression);                                              \
  if (ABSL_PREDICT_FALSE(!result.ok())) return std::move(result).status(); \
  target = *std::move(result)

#endif  // SLUICE_IPC_UTIL_INTERNAL_STATUS_MACROS_H_
