// A fuzz target without its fuzzer: every kept input, then mutations of them that are the same in every run. It is linked into the builds that no libFuzzer
// comes with, so that a regression is found by the build that the tests use. Exploring is `./dev fuzz`.
#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;
constexpr std::size_t max_input = 256 * 1024;

const Input* under_test = nullptr;   // for whoever reports that it failed
std::string failed_path;

/// Called when the process is about to die: only system calls.
void keep_input() {
  if (under_test == nullptr) return;
  const int file = ::open(failed_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  const bool is_whole = ::write(file, under_test->data(), under_test->size()) == static_cast<ssize_t>(under_test->size());
  ::close(file);
  constexpr std::string_view kept = "the input is kept in build/fuzz/found\n", lost = "the input could not be kept whole\n";
  const auto said = is_whole ? kept : lost;
  [[maybe_unused]] const auto told = ::write(STDERR_FILENO, said.data(), said.size());
}

void aborted(int) {   // a property that did not hold
  keep_input();
  std::signal(SIGABRT, SIG_DFL);
  std::raise(SIGABRT);
}

void run(const Input& input) {
  under_test = &input;
  LLVMFuzzerTestOneInput(input.data(), input.size());
  under_test = nullptr;
}

std::vector<Input> read_corpus(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());   // the same order on every file system
  std::vector<Input> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

class Mutator {
public:
  explicit Mutator(const std::vector<Input>& corpus) : corpus_(corpus) {}

  Input changed(Input input) {
    for (auto left = 1 + below(4); left > 0; --left) change(input);
    if (input.size() > max_input) input.resize(max_input);
    return input;
  }

private:
  std::size_t below(std::size_t limit) { return random_() % limit; }

  void change(Input& input) {
    const auto at = static_cast<std::ptrdiff_t>(below(input.size() + 1)), to = static_cast<std::ptrdiff_t>(below(input.size() + 1));
    const auto first = input.begin() + std::min(at, to), last = input.begin() + std::max(at, to);
    switch (below(6)) {
      case 0: input.erase(first, last); return;
      case 1: input.erase(first, input.end()); return;
      case 2: {
        const Input part(first, last);
        input.insert(input.begin() + at, part.begin(), part.end());
        return;
      }
      case 3: {
        const auto& other = corpus_[below(corpus_.size())];
        input.insert(input.begin() + at, other.begin(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size() + 1)));
        return;
      }
      case 4: input.insert(input.begin() + at, edges[below(edges.size())]); return;
      default:
        if (!input.empty()) input[below(input.size())] ^= static_cast<std::uint8_t>(1U << below(8));
    }
  }

  static constexpr std::array<std::uint8_t, 12> edges{0, 1, 0x7f, 0x80, 0xff, '\n', '\r', '"', '\\', ':', '%', '{'};
  const std::vector<Input>& corpus_;
  std::mt19937_64 random_{20260101};   // a failure comes again
};

}  // namespace

int main(int argc, char** argv) {
  std::size_t mutations = 0;
  const std::string_view count = argc == 4 ? argv[2] : "";
  if (argc != 4 || std::from_chars(count.data(), count.data() + count.size(), mutations).ec != std::errc()) {
    std::fprintf(stderr, "usage: %s CORPUS MUTATIONS FAILED_INPUT\n", argv[0]);
    return 2;
  }
  const auto corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no input is kept there: add one, every target has some\n", argv[1]);
    return 2;
  }
  failed_path = argv[3];
  std::filesystem::create_directories(std::filesystem::path(failed_path).parent_path());
  __sanitizer_set_death_callback(keep_input);
  std::signal(SIGABRT, aborted);
  for (const auto& input : corpus) run(input);
  Mutator mutator(corpus);
  for (std::size_t i = 0; i < mutations; ++i) run(mutator.changed(corpus[i % corpus.size()]));
  std::printf("%zu kept inputs, %zu mutations\n", corpus.size(), mutations);
  return 0;
}
