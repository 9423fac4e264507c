/* SPDX-License-Identifier: Apache-2.0
 *
 * The line that `sluice ingest` prints, byte for byte, and the exit codes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/summary.h"

static void expect_line(const struct sluice_summary *summary, const char *line)
{
    struct sluice_json json = {0};

    sluice_summary_json(summary, &json);
    assert_false(json.failed);
    assert_string_equal(json.text, line);
    sluice_json_close(&json);
}

static void a_full_line_has_every_documented_key_in_order(void **state)
{
    struct sluice_summary *summary = sluice_summary_create();

    (void)state;
    assert_non_null(summary);
    summary->series_id = 42;
    strcpy(summary->name, "series_42");
    summary->ended_by = SLUICE_ENDED_BY_NEW_START;
    summary->expected = 10;
    summary->received = 12;
    summary->written = 6;
    summary->visible = 5;
    summary->lost = 4;
    summary->refused = 1;
    summary->duplicate = 2;
    summary->foreign = 3;
    summary->dropped = 7;
    summary->image_failures = 8;
    summary->bytes_received = 1000;
    summary->bytes_written = 900;
    summary->seconds = 1.5;
    summary->cpu_seconds = 0.25;
    summary->latency_p50_ms = 0.5;
    summary->latency_p99_ms = 1.25;
    summary->latency_max_ms = 3;
    summary->has_io = true;
    summary->io = (struct sluice_summary_io){1, 2, 3, 4, 5, 6, 7, 8};
    summary->lost_ranges = calloc(2, sizeof *summary->lost_ranges);
    assert_non_null(summary->lost_ranges);
    summary->lost_ranges[0] = (struct sluice_range){2, 4};
    summary->lost_ranges[1] = (struct sluice_range){9, 9};
    summary->lost_range_count = 2;
    summary->master = strdup("/d/series_42_master.h5");
    summary->files = calloc(2, sizeof *summary->files);
    assert_non_null(summary->files);
    summary->files[0] = strdup("/d/series_42_data_000001.h5");
    summary->files[1] = strdup("/d/series_42_data_000002.h5");
    summary->file_count = 2;
    expect_line(
        summary,
        "{\"series_id\":42,\"state\":\"done\",\"ended_by\":\"new_start\",\"images_expected\":10,"
        "\"images_received\":12,\"images_written\":6,\"images_visible\":5,\"images_lost\":4,"
        "\"lost_ranges\":[[2,4],[9,9]],\"images_refused\":1,\"images_duplicate\":2,"
        "\"images_foreign\":3,\"images_dropped\":7,\"images_failed\":8,\"bytes_received\":1000,"
        "\"bytes_written\":900,\"seconds\":1.5,\"cpu_seconds\":0.25,"
        "\"latency_ms\":{\"p50\":0.5,\"p99\":1.25,\"max\":3},"
        "\"io\":{\"direct_pieces\":1,\"direct_bytes\":2,\"cached_pieces\":3,\"cached_bytes\":4,"
        "\"spilled_pieces\":5,\"spilled_bytes\":6,\"spills_held\":7,\"waits\":8},"
        "\"master\":\"/d/series_42_master.h5\","
        "\"files\":[\"/d/series_42_data_000001.h5\",\"/d/series_42_data_000002.h5\"]}");
    sluice_summary_destroy(summary);
    sluice_summary_destroy(NULL);
}

static void a_failed_series_without_a_file_says_why(void **state)
{
    struct sluice_summary *summary = sluice_summary_create();

    (void)state;
    assert_non_null(summary);
    summary->failed = true;
    summary->ended_by = SLUICE_ENDED_BY_STOP;
    summary->latency_p50_ms = summary->latency_p99_ms = summary->latency_max_ms = NAN;
    strcpy(summary->name, "s");
    strcpy(summary->reason, "no space left");
    expect_line(
        summary,
        "{\"series_id\":0,\"state\":\"failed\",\"ended_by\":\"stop\",\"images_expected\":0,"
        "\"images_received\":0,\"images_written\":0,\"images_visible\":0,\"images_lost\":0,"
        "\"lost_ranges\":[],\"images_refused\":0,\"images_duplicate\":0,"
        "\"images_foreign\":0,\"images_dropped\":0,\"images_failed\":0,"
        "\"bytes_received\":0,\"bytes_written\":0,\"seconds\":0,\"cpu_seconds\":0,"
        "\"latency_ms\":{\"p50\":null,\"p99\":null,\"max\":null},\"io\":null,\"master\":null,"
        "\"files\":[],\"reason\":\"no space left\"}");
    sluice_summary_destroy(summary);
}

static void ends_have_the_documented_names(void **state)
{
    (void)state;
    assert_string_equal(sluice_ended_by_name(SLUICE_ENDED_BY_END), "end");
    assert_string_equal(sluice_ended_by_name(SLUICE_ENDED_BY_IDLE), "idle");
    assert_string_equal(sluice_ended_by_name(SLUICE_ENDED_BY_NEW_START), "new_start");
    assert_string_equal(sluice_ended_by_name(SLUICE_ENDED_BY_STOP), "stop");
}

static void the_exit_code_tells_loss_from_failure(void **state)
{
    static const struct {
        struct sluice_summary summary;
        int code;
    } cases[] = {
        {{.written = 5}, 0},   {{.duplicate = 1, .foreign = 2}, 0},
        {{.lost = 1}, 3},      {{.refused = 1}, 3},
        {{.dropped = 1}, 3},   {{.image_failures = 1}, 3},
        {{.failed = true}, 1}, {{.failed = true, .lost = 1}, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sluice_summary_exit_code(&cases[i].summary), cases[i].code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_line_has_every_documented_key_in_order),
        cmocka_unit_test(a_failed_series_without_a_file_says_why),
        cmocka_unit_test(ends_have_the_documented_names),
        cmocka_unit_test(the_exit_code_tells_loss_from_failure),
    };

    return cmocka_run_group_tests_name("core: summary", tests, NULL, NULL);
}
