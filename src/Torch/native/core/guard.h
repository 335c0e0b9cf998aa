// The wall between C++ exceptions and the C ABI.
#pragma once

#include "opttorch.h"

#include <stdexcept>
#include <string>

namespace opt {

// Stores the text of the exception in flight for opt_last_error and returns its status. Call only inside a catch block.
int32_t translate_current_exception() noexcept;

// The exception for what this library itself refuses.
class invalid_argument : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class not_supported : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A failure whose class is known where it is thrown.
class classified : public std::runtime_error {
 public:
  classified(int32_t status, const std::string& text) : std::runtime_error(text), status(status) {}
  const int32_t status;
};

inline void require(bool condition, const char* message) {
  if (!condition) {
    throw invalid_argument(message);
  }
}

template <class Body>
int32_t guarded(Body&& body) noexcept {
  try {
    body();
    return OPT_OK;
  } catch (...) {
    return translate_current_exception();
  }
}

int32_t copy_text(const std::string& text, char* utf8, int32_t capacity) noexcept;

inline std::string text_of(const char* utf8, int32_t length) { return std::string(utf8, static_cast<size_t>(length)); }

} // namespace opt
