#include "host/images/image_store.hpp"

#include "host/images/sha256.hpp"
#include "shared/base/ids.hpp"
#include "shared/base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vigil::images {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t digest_length = 64;
constexpr std::size_t min_prefix = 8;
constexpr std::size_t max_manifest_bytes = 4 << 20;
constexpr std::size_t shown_digits = 12;

bool is_digest(std::string_view text) { return text.size() == digest_length && is_lower_hex(text); }

Result<std::string> read_bounded(const fs::path& path, std::size_t limit) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return Error::from_errno("open " + path.string(), errno);
    std::string text(limit + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error::from_errno("read " + path.string(), errno);
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > limit) return Error(Errc::limit, path.string() + ": over " + std::to_string(limit) + " bytes");
    text.resize(size);
    return text;
}

std::vector<std::string> entries(const fs::path& directory) {
    std::vector<std::string> found;
    std::error_code failure;
    for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end; entry.increment(failure)) {
        std::error_code ignored;
        if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) found.push_back(entry->path().filename().string());
    }
    std::ranges::sort(found);
    return found;
}

/// Images of one lock have one date; then the one that came here last is the newest.
fs::file_time_type published_at(const Image& image) {
    std::error_code failure;
    const auto at = fs::last_write_time(image.directory / "manifest.json", failure);
    return failure ? fs::file_time_type::min() : at;
}

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts) out += (out.empty() ? "" : ", ") + text;
    return out;
}

}  // namespace

std::uint64_t Image::bytes() const { return manifest.kernel.bytes + manifest.initrd.bytes + manifest.root.bytes + manifest.overlay.bytes; }

std::vector<std::string> ImageStore::names() const {
    auto found = entries(directory_);
    std::erase_if(found, [](const std::string& name) { return !parse_instance_name(name); });
    return found;
}

std::vector<std::string> ImageStore::digests(const std::string& name) const {
    auto found = entries(directory_ / name);
    std::erase_if(found, [](const std::string& digest) { return !is_digest(digest); });
    return found;
}

std::string ImageStore::current_digest(const std::string& name) const {
    std::error_code failure;
    const auto target = fs::read_symlink(directory_ / name / "current", failure);
    return failure ? "" : target.filename().string();
}

std::string ImageStore::what_exists() const {
    const auto found = names();
    if (found.empty()) return "no image has been built yet (vigil image build minimal); looked in " + directory_.string();
    return "images here: " + joined(found);
}

Result<Image> ImageStore::load(const std::string& name, const std::string& digest) const {
    const fs::path directory = directory_ / name / digest;
    const std::string label = name + "@" + digest.substr(0, shown_digits);
    const auto text = read_bounded(directory / "manifest.json", max_manifest_bytes);
    if (!text) return Error(text.error().code() == Errc::not_found ? Errc::conflict : text.error().code(), text.error().message()).with_context("image " + label);
    const auto found = sha256_hex(*text);
    if (found != digest)
        return Error(Errc::conflict, "image " + label + ": digest mismatch: manifest.json hashes to " + found + ", its directory is named " + digest);
    auto manifest = parse_manifest(*text);
    if (!manifest) return manifest.error().with_context("image " + label + ": manifest.json");
    if (manifest->name != name) return Error(Errc::conflict, "image " + label + ": its manifest is that of " + manifest->name);
    return Image{name, digest, current_digest(name) == digest, directory, std::move(*manifest)};
}

Listing ImageStore::list() const {
    Listing listing;
    for (const auto& name : names()) {
        std::vector<Image> versions;
        for (const auto& digest : digests(name)) {
            auto image = load(name, digest);
            if (image)
                versions.push_back(std::move(*image));
            else
                listing.damaged.push_back(name + "@" + digest + ": " + image.error().message());
        }
        std::ranges::stable_sort(versions, std::ranges::greater{}, [](const Image& image) { return std::pair(image.manifest.created_unix, published_at(image)); });
        std::ranges::move(versions, std::back_inserter(listing.images));
    }
    return listing;
}

Result<std::string> ImageStore::pick_digest(const std::string& name, std::string_view wanted) const {
    const auto all = digests(name);
    std::vector<std::string> fitting, shown;
    for (const auto& digest : all) {
        shown.push_back(digest.substr(0, shown_digits));
        if (digest.starts_with(wanted)) fitting.push_back(digest);
    }
    if (fitting.size() == 1) return fitting.front();
    if (fitting.empty())
        return Error(Errc::not_found, "image " + name + " has no digest " + std::string(wanted) + "; its digests: " + joined(shown));
    return Error(Errc::invalid, "image " + name + ": several digests begin with " + std::string(wanted) + ": " + joined(fitting));
}

Result<Image> ImageStore::resolve(std::string_view reference) const {
    const auto at = reference.find('@');
    const std::string name(reference.substr(0, at));
    if (!parse_instance_name(name)) return Error(Errc::invalid, "image \"" + std::string(reference.substr(0, 128)) + "\": not NAME or NAME@DIGEST");
    if (digests(name).empty()) return Error(Errc::not_found, "image " + name + " does not exist; " + what_exists());
    if (at == reference.npos) {
        const auto current = current_digest(name);
        if (!is_digest(current))
            return Error(Errc::not_found, "image " + name + " has no current digest; name one of: " + joined(digests(name)));
        return load(name, current);
    }
    const auto wanted = reference.substr(at + 1);
    if (wanted.size() < min_prefix || wanted.size() > digest_length || !is_lower_hex(wanted))
        return Error(Errc::invalid, "image " + std::string(reference.substr(0, 192)) + ": a digest is 8 to 64 lower-case hex digits");
    TRY(digest, pick_digest(name, wanted));
    return load(name, digest);
}

Result<void> ImageStore::verify_files(const Image& image) {
    for (const auto* file : {&image.manifest.kernel, &image.manifest.initrd, &image.manifest.root, &image.manifest.overlay}) {
        std::error_code failure;
        const auto path = image.path_of(*file);
        const auto size = fs::is_regular_file(path, failure) ? fs::file_size(path, failure) : 0;
        if (failure) return Error(Errc::conflict, "image " + image.reference() + ": " + path.string() + ": " + failure.message());
        if (size != file->bytes)
            return Error(Errc::conflict, "image " + image.reference() + ": " + file->file + " has " + std::to_string(size) + " bytes, its manifest says " +
                                             std::to_string(file->bytes));
    }
    return {};
}

Result<void> ImageStore::verify_contents(const Image& image) {
    TRY_VOID(verify_files(image));
    for (const auto* file : {&image.manifest.kernel, &image.manifest.initrd, &image.manifest.root, &image.manifest.overlay}) {
        TRY(found, sha256_of_file(image.path_of(*file)));
        if (found != file->sha256)
            return Error(Errc::conflict, "image " + image.reference() + ": " + file->file + " hashes to " + found + ", its manifest says " + file->sha256);
    }
    return {};
}

}  // namespace vigil::images
