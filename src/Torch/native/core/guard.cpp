#include "core/guard.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>
#include <new>

#ifdef USE_C10D_GLOO
#include <gloo/common/error.h>
#endif

namespace opt {
namespace {

thread_local std::string last_error;

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// c10d and Gloo have few exception types, and wheels hide their type information, so the words decide. Time-outs first:
// Gloo reports a connection that timed out as an I/O error too.
int32_t classify(const std::string& text, int32_t otherwise) {
  for (const char* word : {"imed out", "imeout", "TIMEOUT"}) {
    if (contains(text, word)) {
      return OPT_TIMEOUT;
    }
  }
  for (const char* word : {"Connection reset", "Connection closed", "onnection refused", "Broken pipe", "Socket closed", "onnection was closed",
                           "remote process exited", "ncclRemoteError", "failed to recv", "failed to connect", "failed to send"}) {
    if (contains(text, word)) {
      return OPT_PEER_LOST;
    }
  }
  return contains(text, "out of memory") || contains(text, "can't allocate memory") ? OPT_OUT_OF_MEMORY : otherwise;
}

int32_t remember(int32_t status, const char* text) noexcept {
  try {
    last_error = text;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

} // namespace

int32_t translate_current_exception() noexcept {
  try {
    throw;
  } catch (const classified& e) {
    return remember(e.status, e.what());
  } catch (const invalid_argument& e) {
    return remember(OPT_INVALID_ARGUMENT, e.what());
  } catch (const not_supported& e) {
    return remember(OPT_NOT_SUPPORTED, e.what());
#ifdef USE_C10D_GLOO
  } catch (const gloo::IoException& e) {
    return remember(classify(e.what(), OPT_PEER_LOST), e.what());
#endif
  } catch (const c10::Error& e) {
    const std::string text = e.what_without_backtrace();
    return remember(classify(text, OPT_ERROR), text.c_str());
  } catch (const std::bad_alloc& e) {
    return remember(OPT_OUT_OF_MEMORY, e.what());
  } catch (const std::exception& e) {
    return remember(classify(e.what(), OPT_ERROR), e.what());
  } catch (...) {
    return remember(OPT_ERROR, "an exception of unknown type");
  }
}

int32_t copy_text(const std::string& text, char* utf8, int32_t capacity) noexcept {
  if (utf8 != nullptr && capacity > 0) {
    std::memcpy(utf8, text.data(), std::min(text.size(), static_cast<size_t>(capacity)));
  }
  return static_cast<int32_t>(text.size());
}

} // namespace opt

OPT_API int32_t opt_last_error(char* utf8, int32_t capacity) { return opt::copy_text(opt::last_error, utf8, capacity); }
