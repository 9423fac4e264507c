/* SPDX-License-Identifier: Apache-2.0
 *
 * The key table: every default, every bound and every wrong type, for each key by its type. */
#include "support.h"

#include <inttypes.h>

#include "config/nearest.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void the_defaults_are_those_that_users_rely_on(void **state)
{
    struct sluice_config c;
    (void)state;
    init(&c);
    assert_string_equal(c.instance_name, "sluice");
    assert_string_equal(c.state_directory, "");
    assert_int_equal(c.log_level, SLUICE_LOG_INFO);
    assert_string_equal(c.source.endpoint, "");
    assert_false(c.source.bind);
    assert_int_equal(c.source.protocol, SLUICE_PROTOCOL_AUTO);
    assert_int_equal(c.source.idle_timeout_ns, SLUICE_IDLE_TIMEOUT_AUTO);
    assert_int_equal(c.source.id_jump_max, 1000000);
    assert_int_equal(c.source.receive_hwm, 1000);
    assert_int_equal(c.source.receive_buffer_bytes, 0);
    assert_int_equal(c.source.series_max, 0);
    assert_int_equal(c.source_agent.cpu, -1);
    assert_int_equal(c.source_agent.spin_us, 20);
    assert_int_equal(c.source.slots, 1024);
    assert_int_equal(c.source.large_slots, 256);
    assert_int_equal(c.source.memory_bytes_max, GIB);
    assert_int_equal(c.source.overflow, SLUICE_OVERFLOW_WAIT);
    assert_int_equal(c.codec.filter, SLUICE_CODEC_KEEP);
    assert_int_equal(c.codec.workers, 0);
    assert_int_equal(c.codec.memory_bytes_max, GIB);
    assert_int_equal(c.codec.cpu, -1);
    assert_int_equal(c.codec.instructions, 0); /* auto */
    assert_int_equal(c.writer.directory_count, 1);
    assert_string_equal(c.writer.directories[0], ".");
    assert_string_equal(c.writer.name, "series_$id");
    assert_int_equal(c.writer.images_per_file, 1000);
    assert_int_equal(c.writer.images_per_file_max, 4000000);
    assert_int_equal(c.writer.files_open_max, 4);
    assert_int_equal(c.writer.flush_images, 128);
    assert_int_equal(c.writer.flush_interval_ns, 100000000);
    assert_int_equal(c.writer.flush_idle_ns, 200000);
    assert_int_equal(c.writer.flush_unread_ns, 10000000);
    assert_int_equal(c.writer.io, SLUICE_IO_DIRECT);
    assert_int_equal(c.writer.index, SLUICE_INDEX_OWN);
    assert_int_equal(c.writer.spill_after, 12);
    assert_int_equal(c.writer.durable, SLUICE_DURABLE_NONE);
    assert_string_equal(c.writer.group, "");
    assert_int_equal(c.writer.mode, 0640);
    assert_int_equal(c.writer.directory_mode, 0750);
    assert_int_equal(c.writer.user_data_bytes_max, 256);
    assert_int_equal(c.writer.free_space_alarm_bytes, GIB);
    assert_int_equal(c.writer.drain_timeout_ns, INT64_C(30000000000));
    assert_int_equal(c.writer_agent.cpu, -1);
    assert_int_equal(c.writer_agent.spin_us, 20);
    assert_string_equal(c.writer.metadata.instrument_name, "unknown");
    assert_string_equal(c.writer.metadata.source_name, "unknown");
    assert_string_equal(c.writer.metadata.source_short_name, "");
    assert_string_equal(c.writer.metadata.sample_name, "unknown");
    assert_string_equal(c.writer.metadata.rotation_axis, "");
    assert_int_equal(c.writer.metadata.axis_count, 0);
    assert_string_equal(c.notify_endpoint, "");
    assert_string_equal(c.http_listen, "");
    sluice_config_close(&c);
}

static void the_texts_of_choices_have_the_enumerators_they_name(void **state)
{
    struct sluice_config c;
    (void)state;
    init(&c);
    set(&c, "log.level=error");
    assert_int_equal(c.log_level, SLUICE_LOG_ERROR);
    set(&c, "log.level=warning");
    assert_int_equal(c.log_level, SLUICE_LOG_WARNING);
    set(&c, "log.level=debug");
    assert_int_equal(c.log_level, SLUICE_LOG_DEBUG);
    set(&c, "source.mode=bind");
    assert_true(c.source.bind);
    set(&c, "source.mode=connect");
    assert_false(c.source.bind);
    set(&c, "source.protocol=stream2");
    assert_int_equal(c.source.protocol, SLUICE_PROTOCOL_STREAM2);
    set(&c, "source.protocol=stream1");
    assert_int_equal(c.source.protocol, SLUICE_PROTOCOL_STREAM1);
    set(&c, "source.protocol=array-1.0");
    assert_int_equal(c.source.protocol, SLUICE_PROTOCOL_ARRAY10);
    set(&c, "ring.overflow=drop");
    assert_int_equal(c.source.overflow, SLUICE_OVERFLOW_DROP);
    set(&c, "writer.durable=flush");
    assert_int_equal(c.writer.durable, SLUICE_DURABLE_FLUSH);
    set(&c, "writer.durable=close");
    assert_int_equal(c.writer.durable, SLUICE_DURABLE_CLOSE);
    sluice_config_close(&c);
}

/* The number as the key wants it written. */
static void number_text(const struct sluice_config_key *key, int64_t value, char *text,
                        size_t bytes)
{
    snprintf(text, bytes, key->type == SLUICE_TYPE_MODE ? "0%" PRIo64 : "%" PRId64, value);
}

static bool is_number(const struct sluice_config_key *key)
{
    return key->type == SLUICE_TYPE_INT || key->type == SLUICE_TYPE_UINT ||
           key->type == SLUICE_TYPE_BYTES || key->type == SLUICE_TYPE_MS ||
           key->type == SLUICE_TYPE_US || key->type == SLUICE_TYPE_MODE;
}

static void every_number_takes_its_bounds_and_nothing_beyond(void **state)
{
    char assignment[128], number[32];
    unsigned seen = 0;
    (void)state;
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        struct sluice_config c;
        const int64_t good[] = {key->min, key->max}, bad[] = {key->min - 1, key->max + 1};
        if (!is_number(key)) {
            continue;
        }
        for (int i = 0; i < 2; i++) {
            init(&c);
            number_text(key, good[i], number, sizeof number);
            snprintf(assignment, sizeof assignment, "%s=%s", key->name, number);
            set(&c, assignment);
            sluice_config_close(&c);
            number_text(key, bad[i], number, sizeof number);
            snprintf(assignment, sizeof assignment, "%s=%s", key->name, number);
            refuse_set(assignment, key->name);
        }
        seen++;
    }
    assert_true(seen >= 18);
}

static void every_key_refuses_a_wrong_type_with_line_and_name(void **state)
{
    char text[256];
    (void)state;
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        bool is_list = key->type == SLUICE_TYPE_DIRECTORIES, is_map = key->type == SLUICE_TYPE_AXES;
        const char *const wrong[] = {is_list ? "[[a]]" : "[a, b]",
                                     is_map ? "7" : "{a: b}",
                                     "",
                                     "~",
                                     "null",
                                     is_number(key) ? "x7"
                                     : is_map       ? "[1]"
                                                    : "\"\\x01\"",
                                     is_number(key) ? "7x" : "{}"};
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            if (is_map && strcmp(wrong[i], "{}") == 0) {
                continue;
            }
            snprintf(text, sizeof text, "# a comment\n%s:\n\n  %s: %s\n", key->section,
                     key->short_name, wrong[i]);
            refuse(text, "test.yaml:4: ", key->name);
        }
    }
}

static void every_text_has_a_length(void **state)
{
    char text[2048], fill[1200];
    unsigned seen = 0;
    (void)state;
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        if (key->type != SLUICE_TYPE_TEXT && key->type != SLUICE_TYPE_NAME) {
            continue;
        }
        struct sluice_config c;
        init(&c);
        memset(fill, 'a', sizeof fill);
        fill[key->max] = '\0';
        snprintf(text, sizeof text, "%s=%s", key->name, fill);
        set(&c, text);
        fill[key->max] = 'a';
        fill[key->max + 1] = '\0';
        snprintf(text, sizeof text, "%s=%s", key->name, fill);
        refuse_set(text, key->name);
        if (key->min > 0) {
            snprintf(text, sizeof text, "%s=", key->name);
            refuse_set(text, key->name);
        }
        sluice_config_close(&c);
        seen++;
    }
    assert_true(seen >= 9);
}

static void sizes_have_units_and_times_have_none(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"4194304", 4 * MIB}, {"4194304B", 4 * MIB}, {"2048KiB", 2 * MIB},
                 {"64MiB", 64 * MIB},  {"3GiB", 3 * GIB},     {"2 GiB", 2 * GIB},
                 {"1TiB", 1024 * GIB}, {"512MB", 512000000},  {"2048kB", 2048000},
                 {"2048KB", 2048000},  {"5GB", 5000000000},   {"2TB", 2000000000000}};
    static const char *const wrong_sizes[] = {"1G",
                                              "1M",
                                              "1gib",
                                              "1 G iB",
                                              "1.5GiB",
                                              "GiB",
                                              "-1GiB",
                                              "1GiB ",
                                              "0x100000",
                                              "9223372036854775807TiB",
                                              "99999999999999999999"};
    static const char *const wrong_times[] = {"1s", "100ms", "1e3", "1.5", "100 ms", "+5", " 5"};
    struct sluice_config c;
    char text[128];
    (void)state;
    init(&c);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(text, sizeof text, "ring.memory_bytes_max=%s", sizes[i].text);
        set(&c, text);
        assert_int_equal(c.source.memory_bytes_max, sizes[i].bytes);
    }
    for (size_t i = 0; i < sizeof wrong_sizes / sizeof *wrong_sizes; i++) {
        snprintf(text, sizeof text, "ring.memory_bytes_max=%s", wrong_sizes[i]);
        refuse_set(text, "GiB");
    }
    for (size_t i = 0; i < sizeof wrong_times / sizeof *wrong_times; i++) {
        snprintf(text, sizeof text, "writer.flush_interval_ms=%s", wrong_times[i]);
        refuse_set(text, "want a plain number of ms");
    }
    set(&c, "writer.flush_idle_us=1500");
    assert_int_equal(c.writer.flush_idle_ns, 1500000);
    set(&c, "source.idle_timeout_ms=2000");
    assert_int_equal(c.source.idle_timeout_ns, INT64_C(2000000000));
    set(&c, "source.idle_timeout_ms=auto");
    assert_int_equal(c.source.idle_timeout_ns, SLUICE_IDLE_TIMEOUT_AUTO);
    set(&c, "source.idle_timeout_ms=0");
    assert_int_equal(c.source.idle_timeout_ns, 0);
    refuse_set("source.idle_timeout_ms=-1", "want auto, or a plain number of ms");
    refuse_set("source.idle_timeout_ms=Auto", "want auto, or a plain number of ms");
    refuse_set("writer.flush_interval_ms=auto", "want a plain number of ms");
    sluice_config_close(&c);
}

static void modes_are_octal_and_leave_the_owner_his_rights(void **state)
{
    struct sluice_config c;
    (void)state;
    init(&c);
    load(&c, "writer: {mode: 0664, directory_mode: \"0770\"}");
    assert_int_equal(c.writer.mode, 0664);
    assert_int_equal(c.writer.directory_mode, 0770);
    refuse_set("writer.mode=640", "leading 0");
    refuse_set("writer.mode=0o640", "leading 0");
    refuse_set("writer.mode=0440", "at least 0600");
    refuse_set("writer.mode=0068", "octal");
    refuse_set("writer.mode=01777", "at most 0777");
    refuse_set("writer.directory_mode=0650", "at least 0700");
    sluice_config_close(&c);
}

static void an_unknown_key_names_the_nearest_one(void **state)
{
    (void)state;
    refuse("writer:\n  flush_image: 3\n", "test.yaml:2: ", "\"writer.flush_image\"",
           "did you mean writer.flush_images?");
    refuse("writter:\n  mode: \"0600\"\n", "test.yaml:1: ", "unknown key \"writter\"");
    refuse("sorce.endpoint: tcp://a:1\n", "did you mean source.endpoint?");
    refuse("log:\n  slots: 3\n", "did you mean ring.slots?");
    refuse("entirely_else: 3\n", "`sluice config --keys` lists them");
    refuse_set("writer.directry=/a", "did you mean writer.directory?");
    refuse_set("writer=/a", "unknown key \"writer\"");
    refuse_set("source.endpoint", "want KEY=VALUE");
    refuse_set("=3", "unknown key");
}

static void the_distance_of_words_counts_single_edits(void **state)
{
    char long_word[200];
    (void)state;
    assert_int_equal(sluice_nearest_distance("", ""), 0);
    assert_int_equal(sluice_nearest_distance("ring", "ring"), 0);
    assert_int_equal(sluice_nearest_distance("", "ring"), 4);
    assert_int_equal(sluice_nearest_distance("rnig", "ring"), 1);
    assert_int_equal(sluice_nearest_distance("rings", "ring"), 1);
    assert_int_equal(sluice_nearest_distance("rong", "ring"), 1);
    assert_int_equal(sluice_nearest_distance("kitten", "sitting"), 3);
    memset(long_word, 'a', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_true(sluice_nearest_distance(long_word, "a") == SIZE_MAX);
}

static void every_key_has_a_unit_help_and_a_default_within_bounds(void **state)
{
    (void)state;
    for (unsigned id = 0; id < SLUICE_KEY_COUNT; id++) {
        const struct sluice_config_key *key = sluice_config_key((enum sluice_config_key_id)id);
        char values[256];
        assert_int_equal(sluice_config_find(key->name), id);
        assert_true(strlen(key->help) > 10);
        assert_true(key->help[strlen(key->help) - 1] == '.');
        assert_true(key->min <= key->max);
        if (is_number(key) && key->type != SLUICE_TYPE_MODE) {
            assert_true(key->unit[0] != '\0');
        }
        sluice_config_describe(key, values, sizeof values);
        assert_true(strlen(values) > 3 && strlen(values) < 159);
    }
    assert_int_equal(sluice_config_find("source"), SLUICE_KEY_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_that_users_rely_on),
        cmocka_unit_test(the_texts_of_choices_have_the_enumerators_they_name),
        cmocka_unit_test(every_number_takes_its_bounds_and_nothing_beyond),
        cmocka_unit_test(every_key_refuses_a_wrong_type_with_line_and_name),
        cmocka_unit_test(every_text_has_a_length),
        cmocka_unit_test(sizes_have_units_and_times_have_none),
        cmocka_unit_test(modes_are_octal_and_leave_the_owner_his_rights),
        cmocka_unit_test(an_unknown_key_names_the_nearest_one),
        cmocka_unit_test(the_distance_of_words_counts_single_edits),
        cmocka_unit_test(every_key_has_a_unit_help_and_a_default_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
