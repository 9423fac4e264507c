/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and paths of the file contract, and a property test: whatever comes from outside, a name
 * stays one safe component and dataset names stay valid and different. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "writer/layout/layout.h"

#define OPEN_NS INT64_C(1795335330123456789) /* 2026-11-22T08:15:30Z */

static struct sluice_series series_of(uint64_t id, const char *unique_id)
{
    struct sluice_series series = {.series_id = id};
    snprintf(series.unique_id, sizeof(series.unique_id), "%s", unique_id);
    return series;
}

static void assert_name(const char *pattern, const char *wanted)
{
    char name[200];
    struct sluice_error error = {0};
    struct sluice_series series = series_of(42, "01GK/../x y");
    assert_int_equal(
        sluice_layout_series_name(pattern, &series, OPEN_NS, name, sizeof(name), &error),
        SLUICE_OK);
    assert_string_equal(name, wanted);
}

static void patterns_expand_to_names(void **state)
{
    (void)state;
    assert_name("series_$id", "series_42");
    assert_name("${id}", "42");
    assert_name("$id_scan", "42_scan");
    assert_name("$unique_id", "01GK_.._x_y");
    assert_name("a/$date/${time}_b", "a/20261122/081530_b");
    assert_name("plain", "plain");
}

static void bad_patterns_are_refused(void **state)
{
    (void)state;
    static const char *const patterns[] = {"/abs",   "../x", "a/../b", "a//b", "a/",
                                           "$other", "$",    "${id",   "",     ".",
                                           "${}",    "./x",  "a/./b",  "$$id"};
    char name[200];
    struct sluice_series series = series_of(42, "u");
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct sluice_error error = {0};
        if (sluice_layout_series_name(patterns[i], &series, OPEN_NS, name, sizeof(name), &error) !=
            SLUICE_CONFIG)
            fail_msg("'%s' gave '%s'", patterns[i], name);
        assert_non_null(strstr(error.message, "writer.name"));
    }
}

static void names_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    char pattern[400], name[300];
    struct sluice_error error = {0};
    struct sluice_series series = series_of(42, "u");
    memset(pattern, 'a', sizeof(pattern));
    pattern[399] = '\0';
    assert_int_equal(
        sluice_layout_series_name(pattern, &series, OPEN_NS, name, sizeof(name), &error),
        SLUICE_CONFIG);
    pattern[141] = '\0'; /* fits the buffer, but not a file name with its endings */
    assert_int_equal(
        sluice_layout_series_name(pattern, &series, OPEN_NS, name, sizeof(name), &error),
        SLUICE_CONFIG);
    pattern[140] = '\0';
    assert_int_equal(sluice_layout_series_name(pattern, &series, OPEN_NS, name, sizeof(name), NULL),
                     SLUICE_OK);
}

static void a_missed_start_shows_in_the_name(void **state)
{
    (void)state;
    char name[100];
    struct sluice_series series = series_of(42, "");
    series.start_missed = true;
    assert_int_equal(
        sluice_layout_series_name("series_$id", &series, OPEN_NS, name, sizeof(name), NULL),
        SLUICE_OK);
    assert_string_equal(name, "series_42_nostart");
}

static void paths_follow_the_name(void **state)
{
    (void)state;
    char path[100];
    assert_int_equal(sluice_layout_data_path("/d", "n", 0, path, sizeof(path)), SLUICE_OK);
    assert_string_equal(path, "/d/n_data_000001.h5");
    assert_int_equal(sluice_layout_data_path("/d", "n", 1234566, path, sizeof(path)), SLUICE_OK);
    assert_string_equal(path, "/d/n_data_1234567.h5");
    sluice_layout_master_path("/d", "n", 0, "threshold_1", false, path, sizeof(path));
    assert_string_equal(path, "/d/n_master.h5");
    sluice_layout_master_path("/d", "n", 1, "threshold_2", false, path, sizeof(path));
    assert_string_equal(path, "/d/n_threshold_2_master.h5");
    sluice_layout_master_path("/d", "n", 1, "threshold_2", true, path, sizeof(path));
    assert_string_equal(path, "/d/n_threshold_2.nxs");
    assert_int_equal(sluice_layout_data_path("/d", "n", 0, path, 19), SLUICE_LIMIT);
    assert_int_equal(sluice_layout_data_path("/d", "n", 0, path, 20), SLUICE_OK);
    assert_string_equal(sluice_layout_base_name("/d/e/n.h5"), "n.h5");
    assert_string_equal(sluice_layout_base_name("n"), "n");
}

static void channels_become_datasets(void **state)
{
    (void)state;
    char names[SLUICE_PLANES_MAX][SLUICE_NAME_BYTES];
    static const char *const given[] = {"threshold_1", "difference", "data", "image_id", "2nd",
                                        "a b",         "a_b",        "",     "checksum"};
    static const char *const wanted[] = {
        "threshold_1", "difference", "channel_data", "channel_image_id", "channel_2nd",
        "a_b",         "a_b_2",      "channel_",     "channel_checksum"};
    struct sluice_series series = {.channel_count = 9};
    for (int i = 0; i < 9; i++)
        snprintf(series.channels[i].name, SLUICE_NAME_BYTES, "%s", given[i]);
    sluice_layout_channel_names(&series, names);
    for (int i = 0; i < 9; i++)
        assert_string_equal(names[i], wanted[i]);
    series.channel_count = 1;
    sluice_layout_channel_names(&series, names);
    assert_string_equal(names[0], "data");
}

static bool is_dataset_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || strncmp(name, "data", 4) == 0)
        return false;
    for (int c = 0; c < SLUICE_COLUMN_COUNT; c++)
        if (strcmp(name, sluice_column_info((enum sluice_column)c)->name) == 0)
            return false;
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return strchr(letters, name[0]) != NULL &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
               length;
}

static void whatever_comes_names_stay_safe(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (int round = 0; round < 3000; round++) {
        char names[SLUICE_PLANES_MAX][SLUICE_NAME_BYTES], component[40];
        uint8_t text[64];
        struct sluice_series series = {.channel_count = 2 + (uint32_t)rand_r(&seed) % 31};
        for (uint32_t c = 0; c < series.channel_count; c++) {
            size_t length = (size_t)rand_r(&seed) % SLUICE_NAME_BYTES;
            for (size_t i = 0; i < length; i++) /* few characters, so that names collide */
                series.channels[c].name[i] = "ad_ \xff/1"[rand_r(&seed) % 7];
        }
        sluice_layout_channel_names(&series, names);
        for (uint32_t c = 0; c < series.channel_count; c++) {
            assert_true(is_dataset_name(names[c]));
            for (uint32_t other = 0; other < c; other++)
                assert_string_not_equal(names[c], names[other]);
        }
        size_t bytes = (size_t)rand_r(&seed) % sizeof(text);
        for (size_t i = 0; i < bytes; i++)
            text[i] = (uint8_t)("./\0~A\n.."[rand_r(&seed) % 8]);
        sluice_layout_safe_component((struct sluice_span){text, bytes}, component,
                                     sizeof(component));
        assert_true(component[0] != '\0' && component[0] != '.');
        assert_null(strchr(component, '/'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_expand_to_names),
        cmocka_unit_test(bad_patterns_are_refused),
        cmocka_unit_test(names_that_do_not_fit_are_refused),
        cmocka_unit_test(a_missed_start_shows_in_the_name),
        cmocka_unit_test(paths_follow_the_name),
        cmocka_unit_test(channels_become_datasets),
        cmocka_unit_test(whatever_comes_names_stay_safe),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
