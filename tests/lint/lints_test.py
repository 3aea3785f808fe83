"""The lints find what they are for, and leave alone what is right."""
import unittest

import banned
import coroutine_forms
import cpp_tokens
import layers
import projections
import sizes

BAD_FORMS = {
    "braced aggregate": "co_await f(Agg{1, name});",
    "bare braces": "co_await f({1, name});",
    "designated": "co_await f({.a = 1});",
    "empty braces": "co_return co_await f(Agg{});",
    "await in braces": "auto x = Agg{co_await s()};",
    "return of braces": "co_return Agg{co_await s()};",
    "value capture": "co_await f([name] { return name; });",
    "moved capture": "co_await f([n = std::move(name)]() { return n; });",
    "spawned lambda": "co_await co_spawn(ex, [s]() -> awaitable<void> { co_return; }, use_awaitable);",
    "conditional": "auto x = c ? co_await s() : t;",
    "conditional operand": "co_await f(c ? a : b);",
    "in a condition": "if (co_await f(Agg{1})) { g(); }",
    "after a label": "case 1: co_await f(Agg{1}); break;",
}
GOOD_FORMS = {
    "named": "Agg agg{1, name}; co_await f(std::move(agg));",
    "factory": "co_await f(make_agg(1));",
    "this capture": "co_await f([this, &x] { return x; });",
    "nested await": "co_await f(co_await g());",
    "inside a lambda body": "spawn([name]() -> awaitable<void> { co_await g(name); });",
    "structured binding": "auto [a, b] = co_await f();",
    "bound by reference": "for (auto& [id, actor] : actors_) co_await actor->stop();",
    "conditional elsewhere": "auto v = c ? a : b; co_await f(v);",
    "loop body": "for (auto& x : xs) { co_await f(x); }",
    "condition with body": "if (co_await f()) { g(Agg{1}); }",
    "subscript": "co_await f(table[index]);",
    "switch": "switch (co_await f()) { case 1: g({1}); }",
    "braces in text": 'co_await f("{ ? : }");',
}


def in_function(body):
    return "awaitable<void> t() {\n" + body + "\n}\n"


class CoroutineForms(unittest.TestCase):
    def test_forms_that_gcc_12_breaks_are_found(self):
        for name, body in BAD_FORMS.items():
            with self.subTest(name):
                self.assertTrue(list(coroutine_forms.faults(in_function(body))), body)

    def test_forms_that_are_sound_pass(self):
        for name, body in GOOD_FORMS.items():
            with self.subTest(name):
                self.assertEqual(list(coroutine_forms.faults(in_function(body))), [], body)

    def test_the_line_is_that_of_the_await(self):
        faults = list(coroutine_forms.faults(in_function("int a;\n\n  co_await f(Agg{1});")))
        self.assertEqual([line for line, _ in faults], [4])


class Sizes(unittest.TestCase):
    def lines_of(self, head, tail="}\n"):
        return head + "  x();\n" * 70 + tail

    def test_a_long_function_is_found_in_a_namespace_and_a_class(self):
        for head, tail in (("void f() {\n", "}\n"), ("namespace a::b {\nint f(int x) const noexcept {\n", "}\n}\n"),
                           ("class A : public B {\n  A() : b_{1}, c_(2) {\n", "}\n};\n"),
                           ("auto f() -> std::vector<int> {\n", "}\n")):
            with self.subTest(head):
                self.assertEqual(len(list(sizes.long_functions(self.lines_of(head, tail)))), 1)

    def test_long_things_that_are_no_functions_pass(self):
        for head, tail in (("namespace a {\n", "}\n"), ("struct A {\n", "};\n"), ("constexpr T table[] = {\n", "};\n")):
            with self.subTest(head):
                self.assertEqual(list(sizes.long_functions(self.lines_of(head, tail))), [])

    def test_a_loop_counts_as_part_of_its_function_only(self):
        source = self.lines_of("void f() {\n for (;;) {\n", "}\n}\n")
        self.assertEqual([first for first, _ in sizes.long_functions(source)], [1])


class Layers(unittest.TestCase):
    def faults(self, path, source):
        return [text for _, text in layers.include_faults(path, source)]

    def test_the_shared_part_includes_neither_side(self):
        self.assertTrue(self.faults("shared/base/x.hpp", '#include "host/vmm/vmm.hpp"\n'))

    def test_the_two_sides_do_not_include_each_other(self):
        self.assertTrue(self.faults("guest/report/x.cpp", '#include "host/store/store.hpp"\n'))
        self.assertTrue(self.faults("host/store/x.cpp", '#include "guest/report/outbox.hpp"\n'))

    def test_a_row_allows_what_it_names(self):
        self.assertEqual(self.faults("host/vmm/qemu/x.cpp", '#include "shared/base/result.hpp"\n#include "host/vmm/vmm.hpp"\n'), [])

    def test_a_folder_without_a_row_is_named(self):
        self.assertIn("host/novelty", self.faults("host/novelty/x.cpp", "")[0])

    def test_heavy_headers_stay_out_of_headers_and_not_out_of_sources(self):
        line = "#include <nlohmann/json.hpp>\n"
        self.assertTrue(self.faults("shared/json/x.hpp", line))
        self.assertEqual(self.faults("shared/json/x.cpp", line), [])


class Banned(unittest.TestCase):
    def faults(self, path, source):
        return [text for _, text in banned.token_faults(path, source)]

    def test_sleeps_and_detached_coroutines_are_found(self):
        self.assertTrue(self.faults("host/x.cpp", "std::this_thread::sleep_for(1s);"))
        self.assertTrue(self.faults("host/x.cpp", "co_spawn(ex, f(), asio::detached);"))
        self.assertTrue(self.faults("host/x.cpp", "int r = std::system(line);"))

    def test_comments_texts_and_namesakes_pass(self):
        self.assertEqual(self.faults("host/x.cpp", '// sleep_for\nauto a = "detached"; boost::system::error_code b;'), [])

    def test_vsock_sockets_are_opened_in_one_folder(self):
        self.assertTrue(self.faults("host/vmm/x.cpp", "socket(AF_VSOCK, SOCK_STREAM, 0);"))
        self.assertEqual(self.faults("guest/link/dial.cpp", "socket(AF_VSOCK, SOCK_STREAM, 0);"), [])

    def test_names_that_say_nothing_are_found(self):
        self.assertTrue(self.faults("host/x.hpp", "class VmManager {};"))

    def test_a_path_of_this_machine_is_found(self):
        pattern = {r"(?<![\w./-])/home/somebody/": "a path"}
        self.assertEqual(len(list(banned.text_faults("cd /home/somebody/vigil", pattern))), 1)
        self.assertEqual(list(banned.text_faults("src/home/somebody/", pattern)), [])

    def test_a_bracket_in_the_name_of_a_test_is_found(self):
        self.assertEqual(len(list(banned.text_faults('TEST_CASE("record: neither @ nor [ inside", "[a][b]") {', banned.TEST_NAME))), 1)
        self.assertEqual(list(banned.text_faults('TEST_CASE("record: neither; nor", "[a][b]") {', banned.TEST_NAME)), [])

    def test_bytes_become_an_object_by_memcpy(self):
        self.assertEqual(len(list(banned.text_faults("reinterpret_cast<const inotify_event*>(bytes)", banned.CASTS))), 1)
        for fine in ("const char*", "sockaddr_in6&", "std::uintptr_t", "sqlite3_destructor_type", "const unsigned char*"):
            self.assertEqual(list(banned.text_faults(f"reinterpret_cast<{fine}>(bytes)", banned.CASTS)), [], fine)


class Projections(unittest.TestCase):
    def faults(self, path, source):
        return [text for _, text in projections.faults(path, source, ["instances", "streams"])]

    def test_a_projected_table_is_written_by_the_projector_alone(self):
        for sql in ("INSERT INTO instances(row) VALUES(?)", "insert or replace into streams VALUES(1)", "UPDATE instances SET last_run = 1",
                    "DELETE FROM main.streams", "DROP TABLE IF EXISTS streams", 'INSERT INTO main." + name + " SELECT 1'):
            self.assertTrue(self.faults("host/store/store.cpp", f'run("{sql}");'), sql)
            self.assertEqual(self.faults("host/store/projector.cpp", f'run("{sql}");'), [], sql)

    def test_the_log_is_written_in_one_place(self):
        for sql in ("INSERT INTO events(seq) VALUES(?)", "DELETE FROM events WHERE seq = ?", "INSERT INTO log_instances VALUES(1)"):
            self.assertTrue(self.faults("host/daemon/x.cpp", sql), sql)
            self.assertTrue(self.faults("host/store/projector.cpp", sql), sql)
            self.assertEqual(self.faults("host/store/log.cpp", sql), [], sql)

    def test_migrations_make_and_drop_tables_and_fill_no_projected_one(self):
        self.assertEqual(self.faults("host/store/schema.cpp", "DROP TABLE streams; INSERT INTO checkpoints SELECT 1; ALTER TABLE events ADD COLUMN a"), [])
        self.assertTrue(self.faults("host/store/schema.cpp", "INSERT INTO streams SELECT 1"))

    def test_looks_and_other_tables_pass(self):
        self.assertEqual(self.faults("host/store/api_tokens.cpp", "UPDATE api_tokens SET a = 1; SELECT * FROM instances; ON CONFLICT DO UPDATE SET last = 1"), [])

    def test_the_tables_are_read_from_the_projector(self):
        self.assertIn("instances", projections.projected_tables())


class Tokens(unittest.TestCase):
    def test_raw_strings_characters_and_directives_do_not_confuse_the_braces(self):
        source = 'auto a = R"x({ " )x"; char c = \'{\'; int n = 1\'000;\n#define M(x) { x\nvoid f() { g(); }\n'
        blocks = cpp_tokens.parse(source)[1]
        self.assertEqual([(b.first_line, b.last_line) for b in blocks], [(3, 3)])


if __name__ == "__main__":
    unittest.main()
