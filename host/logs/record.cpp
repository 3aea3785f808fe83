#include "host/logs/record.hpp"

#include <cctype>
#include <charconv>
#include <vector>

namespace vigil::logs {

namespace {

constexpr std::string_view magic = "vigil-log", format = "1";

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
        const auto end = std::min(line.find(' '), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return words;
}

bool read_number(std::string_view text, std::uint64_t& into) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), into);
    return failure == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string encode(const FileHeader& header) {
    return std::string(magic) + ' ' + std::string(format) + ' ' + std::to_string(header.generation) + ' ' + std::to_string(header.out) + ' ' +
           std::to_string(header.err) + ' ' + (header.boot.empty() ? "-" : header.boot) + '\n';
}

std::string encode(const RecordHeader& header) {
    const char letter = static_cast<char>(header.stream);
    const char shown = header.is_gap ? static_cast<char>(std::toupper(letter)) : letter;
    return std::to_string(header.at_unix_us) + ' ' + shown + ' ' + std::to_string(header.offset) + ' ' + std::to_string(header.length) + '\n';
}

Result<FileHeader> decode_file_header(std::string_view line) {
    const auto words = words_of(line);
    FileHeader header;
    if (words.size() != 6 || words[0] != magic) return Error(Errc::invalid, "not a log of a service");
    if (words[1] != format) return Error(Errc::unsupported, "a log of version " + std::string(words[1].substr(0, 20)));
    const bool fits = read_number(words[2], header.generation) && read_number(words[3], header.out) && read_number(words[4], header.err);
    if (!fits) return Error(Errc::invalid, "the log's first line is damaged");
    if (words[5] != "-") header.boot = words[5];
    return header;
}

Result<RecordHeader> decode_record_header(std::string_view line) {
    const auto words = words_of(line);
    RecordHeader header;
    std::uint64_t length = 0;
    const bool fits = words.size() == 4 && words[1].size() == 1 && read_number(words[0], header.at_unix_us) && read_number(words[2], header.offset) &&
                      read_number(words[3], length) && length <= max_record_bytes;
    if (!fits) return Error(Errc::invalid, "a record's first line is damaged");
    const char letter = words[1][0];
    header.length = static_cast<std::size_t>(length);
    header.is_gap = letter == 'O' || letter == 'E';
    if (letter == 'o' || letter == 'O') header.stream = LogStream::out;
    else if (letter == 'e' || letter == 'E') header.stream = LogStream::err;
    else return Error(Errc::invalid, "a record of an unknown kind");
    return header;
}

std::string encode(const Gap& gap) { return std::to_string(gap.bytes) + ' ' + gap.why; }

Result<Gap> decode_gap(std::string_view text) {
    const auto words = words_of(text);
    Gap gap;
    if (words.size() != 2 || !read_number(words[0], gap.bytes)) return Error(Errc::invalid, "a gap's record is damaged");
    gap.why = words[1];
    return gap;
}

}  // namespace vigil::logs
