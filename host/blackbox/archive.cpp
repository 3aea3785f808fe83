#include "host/blackbox/archive.hpp"

#include "shared/base/unique_fd.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>

namespace vigil::blackbox {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t block_bytes = 64 << 10;

Error explain(archive* handle, const fs::path& path, const std::string& what) {
    const int number = archive_errno(handle);
    const char* const text = archive_error_string(handle);
    const std::string message = what + " " + path.string() + ": " + (text != nullptr ? text : "unknown error");
    if (number == ENOSPC || number == EDQUOT) return Error(Errc::limit, "host.disk_full: " + message);
    return Error(Errc::io, message);
}

using EntryHandle = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;
using ReadHandle = std::unique_ptr<archive, decltype(&archive_read_free)>;

class Reader {
  public:
    explicit Reader(const fs::path& path) : path_(path), handle_(archive_read_new(), &archive_read_free) {}

    Result<void> open() {
        archive_read_support_filter_zstd(handle_.get());
        archive_read_support_format_tar(handle_.get());
        if (archive_read_open_filename(handle_.get(), path_.c_str(), block_bytes) == ARCHIVE_OK) return {};
        return failed("open");
    }
    /// False: the end.
    Result<bool> next() {
        const int code = archive_read_next_header(handle_.get(), &entry_);
        if (code == ARCHIVE_EOF) return false;
        if (code < ARCHIVE_WARN) return failed("read");
        return true;
    }
    Entry entry() const {
        const char* const name = archive_entry_pathname(entry_);
        return {name != nullptr ? name : "", static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry_), 0))};
    }
    bool is_file() const { return archive_entry_filetype(entry_) == AE_IFREG; }
    Result<std::string> read(std::size_t max_bytes) {
        std::string bytes;
        std::array<char, block_bytes> block;
        while (bytes.size() < max_bytes) {
            const auto count = archive_read_data(handle_.get(), block.data(), std::min(block.size(), max_bytes - bytes.size()));
            if (count < 0) return failed("read " + entry().name + " of");
            if (count == 0) break;
            bytes.append(block.data(), static_cast<std::size_t>(count));
        }
        return bytes;
    }
    Error failed(const std::string& what) const { return explain(handle_.get(), path_, what); }

  private:
    fs::path path_;
    ReadHandle handle_;
    archive_entry* entry_ = nullptr;
};

Result<void> write_file(const fs::path& path, std::string_view bytes) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return Error::from_errno("create " + path.string(), errno);
    if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return Error::from_errno("write " + path.string(), errno);
    return {};
}

/// A plain name: no way out of the folder.
bool is_plain(std::string_view name) { return !name.empty() && name.front() != '.' && name.find('/') == name.npos && name.find('\0') == name.npos; }

}  // namespace

struct ArchiveWriter::Handle {
    using Write = std::unique_ptr<archive, decltype(&archive_write_free)>;
    Write writer{archive_write_new(), &archive_write_free};
    UniqueFd file;
};

ArchiveWriter::ArchiveWriter(fs::path path) : path_(std::move(path)), unfinished_(path_.string() + ".new"), handle_(std::make_unique<Handle>()) {}

ArchiveWriter::~ArchiveWriter() {
    if (!handle_) return;
    handle_.reset();
    ::unlink(unfinished_.c_str());
}

Error ArchiveWriter::failed(const std::string& what) const { return explain(handle_->writer.get(), unfinished_, what); }

Result<void> ArchiveWriter::open() {
    ::unlink(unfinished_.c_str());   // of a daemon that died over it
    handle_->file.reset(::open(unfinished_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!handle_->file) return Error::from_errno("create " + unfinished_.string(), errno);
    archive* const writer = handle_->writer.get();
    const bool set = archive_write_set_format_pax_restricted(writer) == ARCHIVE_OK && archive_write_add_filter_zstd(writer) == ARCHIVE_OK;
    if (!set || archive_write_open_fd(writer, handle_->file.get()) != ARCHIVE_OK) return failed("begin");
    return {};
}

Result<void> ArchiveWriter::add(const std::string& name, std::string_view bytes, UnixUs at_unix_us) {
    const EntryHandle entry(archive_entry_new(), &archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0600);
    archive_entry_set_mtime(entry.get(), static_cast<time_t>(at_unix_us / 1'000'000), 0);
    archive* const writer = handle_->writer.get();
    if (archive_write_header(writer, entry.get()) != ARCHIVE_OK) return failed("write " + name + " to");
    for (std::string_view rest = bytes; !rest.empty();) {
        const auto count = archive_write_data(writer, rest.data(), rest.size());
        if (count <= 0) return failed("write " + name + " to");
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> ArchiveWriter::finish() {
    if (archive_write_close(handle_->writer.get()) != ARCHIVE_OK) return failed("end");
    if (::fsync(handle_->file.get()) != 0) return Error::from_errno("fsync " + unfinished_.string(), errno);
    if (::rename(unfinished_.c_str(), path_.c_str()) != 0) return Error::from_errno("rename to " + path_.string(), errno);
    handle_.reset();
    return {};
}

Result<std::vector<Entry>> list_entries(const fs::path& path) {
    Reader reader(path);
    TRY_VOID(reader.open());
    std::vector<Entry> entries;
    while (true) {
        TRY(more, reader.next());
        if (!more) return entries;
        entries.push_back(reader.entry());
    }
}

Result<std::string> read_entry(const fs::path& path, std::string_view name, std::size_t max_bytes) {
    Reader reader(path);
    TRY_VOID(reader.open());
    while (true) {
        TRY(more, reader.next());
        if (!more) return Error(Errc::not_found, path.filename().string() + " holds no " + std::string(name));
        if (reader.entry().name == name && reader.is_file()) return reader.read(max_bytes);
    }
}

Result<void> extract_folder(const fs::path& path, const std::string& folder, const fs::path& target, std::uint64_t max_bytes) {
    Reader reader(path);
    TRY_VOID(reader.open());
    std::error_code failure;
    fs::create_directories(target, failure);
    if (failure) return Error(Errc::io, "create " + target.string() + ": " + failure.message());
    const std::string prefix = folder + "/";
    while (true) {
        TRY(more, reader.next());
        if (!more) return {};
        const auto entry = reader.entry();
        if (!entry.name.starts_with(prefix) || !reader.is_file()) continue;
        const auto name = entry.name.substr(prefix.size());
        if (!is_plain(name)) return Error(Errc::invalid, path.string() + " holds an entry that leaves its folder");
        if (entry.bytes > max_bytes) return Error(Errc::limit, path.string() + ": " + folder + " is larger than what is unpacked");
        max_bytes -= entry.bytes;
        TRY(bytes, reader.read(static_cast<std::size_t>(entry.bytes)));
        TRY_VOID(write_file(target / name, bytes));
    }
}

}  // namespace vigil::blackbox
