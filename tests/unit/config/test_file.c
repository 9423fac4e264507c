/* SPDX-License-Identifier: Apache-2.0
 *
 * Files: how a configuration is written, what is refused, and that everything printed from the
 * table (example, documentation, effective configuration) is right and up to date. */
#include "support.h"

static void sections_dots_and_json_say_the_same(void **state)
{
    static const char *const forms[] = {
        "source:\n  endpoint: tcp://h:31001\nring:\n  slots: 512\nwriter:\n  directory: [/a, /b]\n",
        "source.endpoint: tcp://h:31001\nring.slots: 512\nwriter.directory:\n- /a\n- \"/b\"\n",
        "{\"source\":{\"endpoint\":\"tcp://h:31001\"},\"ring\":{\"slots\":512},"
        "\"writer\":{\"directory\":[\"/a\",\"/b\"]}}",
        "---\n# comment\nsource: {endpoint: 'tcp://h:31001'}\nring: {slots: 512}\n"
        "writer: {directory: ['/a', '/b']}\nlog:\n...\n"};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct sluice_config c;
        init(&c);
        load(&c, forms[i]);
        assert_string_equal(c.source.endpoint, "tcp://h:31001");
        assert_int_equal(c.source.slots, 512);
        assert_int_equal(c.writer.directory_count, 2);
        assert_string_equal(c.writer.directories[0], "/a");
        assert_string_equal(c.writer.directories[1], "/b");
        sluice_config_close(&c);
    }
}

static void an_empty_file_leaves_every_default(void **state)
{
    static const char *const empty[] = {"", "# nothing\n", "---\n", "{}", "\xef\xbb\xbf"};
    struct sluice_config defaults, c;
    (void)state;
    init(&defaults);
    char *want = printed_values(&defaults);
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        init(&c);
        load(&c, empty[i]);
        char *got = printed_values(&c);
        assert_string_equal(got, want);
        free(got);
        sluice_config_close(&c);
    }
    free(want);
    sluice_config_close(&defaults);
}

static void a_key_that_stands_there_twice_is_refused(void **state)
{
    (void)state;
    refuse("ring:\n  slots: 32\n  slots: 64\n", "test.yaml:3: ", "ring.slots", "first in line 2");
    refuse("ring:\n  slots: 32\nring.slots: 64\n", "test.yaml:3: ", "twice");
    refuse("metadata: {axes: {omega: [1,0,0], omega: [1,0,0]}}", "metadata.axes.omega", "twice");
}

static void a_document_that_is_no_map_is_refused(void **state)
{
    (void)state;
    refuse("just text\n", "test.yaml:1: ", "want a map");
    refuse("- a\n- b\n", "test.yaml:1: ", "want a map");
    refuse("ring: 3\n", "test.yaml:1: ", "ring is a section");
    refuse("ring:\n- slots\n", "ring is a section");
    refuse("ring: {slots: 32}\n---\nring: {slots: 64}\n", "line 2", "second document");
}

static void yaml_that_is_none_is_refused_with_its_line(void **state)
{
    (void)state;
    refuse("ring:\n  slots: [1, 2\n", "test.yaml: line ", "not YAML");
    refuse("ring:\n\tslots: 3\n", "line 2", "not YAML");
    refuse("a: b: c\n", "line 1", "not YAML");
    refuse("log: {level: \"\\q\"}\n", "line 1", "not YAML");
    refuse("log: {level: \"\xff\xfe\"}\n", "not YAML");
    refuse("? [a, b]\n: c\n", "line 1", "can't be a key");
    refuse("ring: &anchor {slots: 32}\n", "line 1", "anchors");
    refuse("log: {level: *anchor}\n", "line 1", "aliases");
    refuse("ring: {slots: !!int 32}\n", "line 1", "tags");
    refuse_bytes("log: {level: \"a\\0b\"}\n", 21, "line 1", "NUL", (const char *)NULL);
}

static void hostile_documents_end_at_a_bound(void **state)
{
    const size_t depth = 10000, huge = 200000;
    char *text = malloc(huge + 64);
    (void)state;
    assert_non_null(text);
    memset(text, '[', depth);
    text[depth] = '\0';
    refuse(text, "nested deeper than");
    for (size_t i = 0; i < depth; i++) {
        memcpy(text + 4 * i, "{a: ", 4);
    }
    text[4 * depth] = '\0';
    refuse(text, "nested deeper than");
    for (size_t i = 0; i < depth; i++) {
        memcpy(text + 2 * i, "- ", 2);
    }
    text[2 * depth] = '\0';
    refuse(text, "nested deeper than");

    size_t used = (size_t)sprintf(text, "writer: {name: \"");
    memset(text + used, 'a', huge);
    memcpy(text + used + huge - 3, "\"}", 3);
    refuse(text, "at most 4096");

    used = (size_t)sprintf(text, "writer: {directory: [");
    for (size_t i = 0; i < 50000; i++) {
        memcpy(text + used + 2 * i, "a,", 2);
    }
    memcpy(text + used + 100000, "]}", 3);
    refuse(text, "more than");

    memset(text, 'k', huge);
    memcpy(text + 1000, ": 1\n", 5);
    refuse(text, "unknown key");
    free(text);
}

static void a_file_beyond_the_limit_is_refused_unread(void **state)
{
    const size_t bytes = ((size_t)1 << 20) + 1;
    char *text = malloc(bytes);
    (void)state;
    assert_non_null(text);
    memset(text, '\n', bytes);
    refuse_bytes(text, bytes, "at most 1048576", (const char *)NULL);
    free(text);
}

static void random_bytes_never_do_more_than_fail(void **state)
{
    const char *seed_text = getenv("SLUICE_SEED");
    unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 0) : 20261122;
    static const char *const words[] = {"writer", ": ",  "\n",     "  ",    "- ",    "[",    "]",
                                        "{",      "}",   ",",      "\"",    "&a",    "*a",   "!!",
                                        "axes",   "...", "|",      "\t",    "---\n", "\xff", "0",
                                        "~",      "#",   "slots:", "ring:", "?",     "'"};
    unsigned accepted = 0;
    (void)state;
    print_message("seed %u (SLUICE_SEED)\n", seed);
    srandom(seed);
    for (int round = 0; round < 20000; round++) {
        char text[256] = "";
        size_t used = 0;
        for (long count = random() % 24; count > 0; count--) {
            const char *word = words[(size_t)random() % (sizeof words / sizeof *words)];
            size_t bytes = strlen(word);
            memcpy(text + used, word, bytes);
            used += bytes;
        }
        struct sluice_config c;
        struct sluice_error error = {0};
        init(&c);
        enum sluice_status status = sluice_config_load_text(&c, text, used, "test.yaml", &error);
        assert_true(status == SLUICE_OK || error.message[0] != '\0');
        assert_true(status == SLUICE_OK || status == SLUICE_CONFIG || status == SLUICE_LIMIT);
        accepted += status == SLUICE_OK;
        sluice_config_close(&c);
    }
    assert_true(accepted > 0 && accepted < 20000);
}

static void what_is_printed_loads_again_to_the_same(void **state)
{
    struct sluice_config a, b;
    (void)state;
    init(&a);
    set(&a, "instance.name=beam-line_2.a");
    set(&a, "source.endpoint=tcp://*:9999");
    set(&a, "source.mode=bind");
    set(&a, "source.idle_timeout_ms=1500");
    set(&a, "source.cpu=3");
    set(&a, "ring.memory_bytes_max=1500000001");
    set(&a, "ring.overflow=drop");
    set(&a, "writer.directory=[\"/a b\", '/c,d', \"/e\\\"f\\\\g # h\", ~x]");
    set(&a, "writer.name=$date/run: {x} # \"q\" \\ 'z' \xc3\xa4\xe2\x82\xac");
    set(&a, "writer.mode=0664");
    set(&a, "writer.flush_idle_us=0");
    set(&a, "metadata.sample_name=12345");
    set(&a, "metadata.source_name=off");
    set(&a, "metadata.axes={omega: [-1, 0, 1.0e-7], 2theta: [0.1, 0.30000000000000004, 1]}");
    set(&a, "notify.endpoint=ipc:///tmp/x");
    char *first = printed(&a), *values = printed_values(&a);
    init(&b);
    load(&b, first);
    char *second = printed_values(&b);
    assert_string_equal(values, second);
    assert_string_equal(b.writer.directories[2], "/e\"f\\g # h");
    free(first);
    free(values);
    free(second);
    sluice_config_close(&a);
    sluice_config_close(&b);
}

static void every_value_says_where_it_came_from(void **state)
{
    struct sluice_config c;
    (void)state;
    init(&c);
    load(&c, "ring:\n  slots: 512\nwriter:\n  flush_images: 7\n");
    set(&c, "writer.flush_images=9");
    char *text = printed(&c);
    assert_non_null(strstr(text, "  slots: 512 # test.yaml:2\n"));
    assert_non_null(strstr(text, "  flush_images: 9 # --set\n"));
    assert_non_null(strstr(text, "  files_open_max: 4 # default\n"));
    free(text);
    sluice_config_close(&c);
}

/* The whole of a file of the tree, to be freed. */
static char *tree_file(const char *name)
{
    char path[1024], *text = calloc(1, 1 << 20);
    snprintf(path, sizeof path, "%s/%s", SLUICE_SOURCE_DIRECTORY, name);
    FILE *file = fopen(path, "re");
    if (!file || !text) {
        fail_msg("%s can't be read", path);
        return NULL;
    }
    size_t bytes = fread(text, 1, (1 << 20) - 1, file);
    assert_true(bytes > 0);
    fclose(file);
    return text;
}

static void expect_up_to_date(const char *name, void (*print)(FILE *))
{
    char *want = NULL, *have = tree_file(name);
    size_t bytes = 0;
    FILE *stream = open_memstream(&want, &bytes);
    assert_non_null(stream);
    print(stream);
    assert_int_equal(fclose(stream), 0);
    if (strcmp(want, have) != 0) {
        fail_msg("%s is not what the key table says: write it anew (see its own text)", name);
    }
    free(want);
    free(have);
}

static void the_documentation_is_what_the_table_says(void **state)
{
    (void)state;
    expect_up_to_date("docs/configuration.md", sluice_config_print_markdown);
}

static void the_example_is_what_the_table_says(void **state)
{
    (void)state;
    expect_up_to_date("config/sluice.yaml", sluice_config_print_example);
}

static void the_example_loads_and_its_comments_are_the_defaults(void **state)
{
    struct sluice_config defaults, c;
    struct sluice_error error = {0};
    char *text = tree_file("config/sluice.yaml");
    unsigned uncommented = 0;
    (void)state;
    init(&c);
    load(&c, text);
    assert_int_equal(sluice_config_finish(&c, &error), SLUICE_OK);
    assert_int_equal(sluice_config_require(&c, SLUICE_KEY_source_endpoint, &error), SLUICE_OK);
    sluice_config_close(&c);

    for (char *hash = text; (hash = strstr(hash, "\n  #")); hash++) {
        if (hash[4] != ' ') {
            memcpy(hash, "\n   ", 4);
            memmove(hash + 3, hash + 4, strlen(hash + 4) + 1);
            uncommented++;
        }
    }
    assert_int_equal(uncommented, SLUICE_KEY_COUNT - 1);
    init(&c);
    load(&c, text);
    init(&defaults);
    set(&defaults, "source.endpoint=tcp://127.0.0.1:31001");
    char *want = printed_values(&defaults), *got = printed_values(&c);
    assert_string_equal(got, want);
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        assert_non_null(c.origins[id].file);
    }
    free(want);
    free(got);
    free(text);
    sluice_config_close(&c);
    sluice_config_close(&defaults);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    struct sluice_config c;
    struct sluice_error error = {0};
    (void)state;
    init(&c);
    assert_int_equal(sluice_config_load_file(&c, "/nonexistent/x.yaml", &error), SLUICE_CONFIG);
    assert_non_null(strstr(error.message, "/nonexistent/x.yaml: No such file"));
    sluice_error_clear(&error);
    assert_int_equal(sluice_config_load_file(&c, "/", &error), SLUICE_CONFIG);
    assert_non_null(strstr(error.message, "directory"));
    sluice_config_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_dots_and_json_say_the_same),
        cmocka_unit_test(an_empty_file_leaves_every_default),
        cmocka_unit_test(a_key_that_stands_there_twice_is_refused),
        cmocka_unit_test(a_document_that_is_no_map_is_refused),
        cmocka_unit_test(yaml_that_is_none_is_refused_with_its_line),
        cmocka_unit_test(hostile_documents_end_at_a_bound),
        cmocka_unit_test(a_file_beyond_the_limit_is_refused_unread),
        cmocka_unit_test(random_bytes_never_do_more_than_fail),
        cmocka_unit_test(what_is_printed_loads_again_to_the_same),
        cmocka_unit_test(every_value_says_where_it_came_from),
        cmocka_unit_test(the_documentation_is_what_the_table_says),
        cmocka_unit_test(the_example_is_what_the_table_says),
        cmocka_unit_test(the_example_loads_and_its_comments_are_the_defaults),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
