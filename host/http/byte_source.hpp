// What feeds an answer that is as long as a file: pulled by the connection as fast as its client takes.
//
// Shape:  with a length the answer has it; a source that ends before, or fails, breaks the connection off, so that no client takes a part for the whole. Without one
//         the end of the chunked body says that it is whole.
// Thread: the event thread only.
#pragma once

#include "shared/base/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vigil::http {

class ByteSource {
public:
  struct Part {
    std::string bytes;
    bool ended = false;  // nothing comes after these
  };
  virtual ~ByteSource() = default;
  /// What there is now; empty and not ended: nothing yet, `wake` is called when that changes.
  virtual Result<Part> next() = 0;
  /// As EventSource's.
  virtual void on_more(std::function<void()> wake) = 0;
};

struct ByteStream {
  std::string content_type;
  std::optional<std::uint64_t> length;
  std::vector<std::pair<std::string, std::string>> headers;
  std::unique_ptr<ByteSource> source;
};

}  // namespace vigil::http
