// Debian 13's static libdw and libelf refer to functions of elfutils' libeu, which its packages do not hold. These stand in for them: weak, so that a libeu of
// the distribution wins, and unused with older elfutils. One thread, so without the lock that libeu has.
// Source: tsearch(3); elfutils' eu-search.h gives the tree's shape: its root comes first.
#include <search.h>

namespace {
struct SearchTree { void* root; };
using Compare = int (*)(const void*, const void*);
}  // namespace

extern "C" {
__attribute__((weak)) void eu_search_tree_init(SearchTree* tree) { tree->root = nullptr; }
__attribute__((weak)) void eu_search_tree_fini(SearchTree* tree, void (*free_node)(void*)) { ::tdestroy(tree->root, free_node); }
__attribute__((weak)) void* eu_tsearch(const void* key, SearchTree* tree, Compare compare) { return ::tsearch(key, &tree->root, compare); }
__attribute__((weak)) void* eu_tfind(const void* key, SearchTree* tree, Compare compare) { return ::tfind(key, &tree->root, compare); }
__attribute__((weak)) void* eu_tdelete(const void* key, SearchTree* tree, Compare compare) { return ::tdelete(key, &tree->root, compare); }
}
