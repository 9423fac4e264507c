/* SPDX-License-Identifier: Apache-2.0
 *
 * The small things everyone uses: status texts, errors, clocks, names of element types, series. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/series.h"

static void every_status_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(sluice_status_text(SLUICE_OK), "ok");
    for (int i = 0; i <= SLUICE_SYSTEM; i++)
        assert_true(strlen(sluice_status_text((enum sluice_status)i)) > 0);
    assert_string_equal(sluice_status_text((enum sluice_status)(SLUICE_SYSTEM + 1)),
                        "unknown status");
    assert_string_equal(sluice_status_text((enum sluice_status)(-1)), "unknown status");
}

static void setting_an_error_returns_its_status(void **state)
{
    struct sluice_error error = {0};

    (void)state;
    assert_int_equal(sluice_error_set(&error, SLUICE_CONFIG, "line %d", 7), SLUICE_CONFIG);
    assert_int_equal(error.status, SLUICE_CONFIG);
    assert_int_equal(error.origin, SLUICE_ORIGIN_SELF);
    assert_int_equal(error.code, 0);
    assert_string_equal(error.message, "line 7");
}

static void the_first_error_wins(void **state)
{
    struct sluice_error error = {0};

    (void)state;
    sluice_error_set(&error, SLUICE_IO, "first");
    assert_int_equal(sluice_error_set(&error, SLUICE_LIMIT, "second"), SLUICE_LIMIT);
    assert_int_equal(sluice_error_errno(&error, SLUICE_IO, ENOENT, "third"), SLUICE_IO);
    assert_int_equal(error.status, SLUICE_IO);
    assert_string_equal(error.message, "first");
    sluice_error_clear(&error);
    assert_int_equal(error.status, SLUICE_OK);
    sluice_error_set(&error, SLUICE_LIMIT, "second");
    assert_string_equal(error.message, "second");
}

static void errno_is_told_in_words(void **state)
{
    struct sluice_error error = {0};

    (void)state;
    assert_int_equal(sluice_error_errno(&error, SLUICE_IO, ENOENT, "cannot open %s", "/a/b"),
                     SLUICE_IO);
    assert_int_equal(error.origin, SLUICE_ORIGIN_ERRNO);
    assert_int_equal(error.code, ENOENT);
    assert_string_equal(error.message, "cannot open /a/b: No such file or directory");
}

static void a_full_disk_is_no_space_whatever_was_asked_for(void **state)
{
    struct sluice_error error = {0};

    (void)state;
    assert_int_equal(sluice_error_errno(&error, SLUICE_IO, ENOSPC, "w"), SLUICE_NO_SPACE);
    assert_int_equal(error.status, SLUICE_NO_SPACE);
    sluice_error_clear(&error);
    assert_int_equal(sluice_error_errno(&error, SLUICE_SYSTEM, EDQUOT, "w"), SLUICE_NO_SPACE);
    assert_int_equal(sluice_error_errno(NULL, SLUICE_IO, ENOSPC, "w"), SLUICE_NO_SPACE);
}

static void a_prefix_says_where_it_happened(void **state)
{
    struct sluice_error error = {0};

    (void)state;
    sluice_error_prefix(&error, "nothing is set yet");
    assert_string_equal(error.message, "");
    sluice_error_set(&error, SLUICE_MALFORMED, "bad key");
    sluice_error_prefix(&error, "message %d", 3);
    assert_string_equal(error.message, "message 3: bad key");
    assert_int_equal(error.status, SLUICE_MALFORMED);
}

static void long_messages_are_cut_and_stay_terminated(void **state)
{
    struct {
        struct sluice_error error;
        char guard[8];
    } place = {.guard = "guarded"};
    char text[2 * SLUICE_ERROR_MESSAGE_BYTES];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    sluice_error_errno(&place.error, SLUICE_IO, ENOENT, "%s", text);
    assert_int_equal(strlen(place.error.message), SLUICE_ERROR_MESSAGE_BYTES - 1);
    sluice_error_prefix(&place.error, "where");
    assert_int_equal(strlen(place.error.message), SLUICE_ERROR_MESSAGE_BYTES - 1);
    assert_memory_equal(place.error.message, "where: xxx", 10);
    sluice_error_prefix(&place.error, "%s", text);
    assert_int_equal(strlen(place.error.message), SLUICE_ERROR_MESSAGE_BYTES - 1);
    assert_string_equal(place.guard, "guarded");
}

static void a_null_error_is_accepted_everywhere(void **state)
{
    (void)state;
    sluice_error_clear(NULL);
    sluice_error_prefix(NULL, "x");
    assert_int_equal(sluice_error_set(NULL, SLUICE_TIMEOUT, "x"), SLUICE_TIMEOUT);
    assert_int_equal(sluice_error_errno(NULL, SLUICE_IO, EIO, "x"), SLUICE_IO);
}

static void the_fake_clock_stands_still_until_it_is_moved(void **state)
{
    struct sluice_clock_fake fake;

    (void)state;
    sluice_clock_fake_init(&fake, 100, 5000);
    assert_int_equal(sluice_now_ns(&fake.clock), 100);
    assert_int_equal(sluice_now_ns(&fake.clock), 100);
    sluice_clock_fake_advance(&fake, 17);
    assert_int_equal(sluice_now_ns(&fake.clock), 117);
    assert_int_equal(fake.clock.real_ns(&fake.clock), 5017);
}

static void the_system_clock_goes_forward(void **state)
{
    const struct sluice_clock *clock = sluice_clock_system();
    int64_t before = sluice_now_ns(clock), cpu_before = sluice_process_cpu_ns(), now = before;

    (void)state;
    while (now - before < 2 * SLUICE_NS_PER_MS) {
        int64_t next = sluice_now_ns(clock);

        assert_true(next >= now);
        now = next;
    }
    assert_true(sluice_process_cpu_ns() > cpu_before);
    assert_true(clock->real_ns(clock) > INT64_C(1700000000) * SLUICE_NS_PER_S);
}

static void times_are_written_as_iso_8601_in_utc(void **state)
{
    char text[32];

    (void)state;
    sluice_time_iso8601(0, text, sizeof text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
    sluice_time_iso8601(INT64_C(1795335330123456789), text, sizeof text);
    assert_string_equal(text, "2026-11-22T08:15:30.123456Z");
    sluice_time_iso8601(-1, text, sizeof text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    sluice_time_iso8601(INT64_MAX, text, sizeof text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775Z");
}

static void element_types_have_names_and_sizes(void **state)
{
    static const size_t bytes[] = {1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
    enum sluice_dtype found = SLUICE_F64;

    (void)state;
    for (int i = 0; i < SLUICE_DTYPE_COUNT; i++) {
        const char *name = sluice_dtype_name((enum sluice_dtype)i);

        assert_int_equal(sluice_dtype_bytes((enum sluice_dtype)i), bytes[i]);
        assert_true(sluice_dtype_from_name(
            (struct sluice_span){(const uint8_t *)name, strlen(name)}, &found));
        assert_int_equal(found, i);
    }
    assert_false(
        sluice_dtype_from_name((struct sluice_span){(const uint8_t *)"uint16x", 7}, &found));
    assert_false(
        sluice_dtype_from_name((struct sluice_span){(const uint8_t *)"uint16", 5}, &found));
    assert_false(sluice_dtype_from_name((struct sluice_span){(const uint8_t *)"", 0}, &found));
    assert_string_equal(sluice_dtype_name((enum sluice_dtype)SLUICE_DTYPE_COUNT), "?");
    assert_int_equal(sluice_dtype_bytes((enum sluice_dtype)(-1)), 0);
    assert_string_equal(sluice_encoding_name(SLUICE_ENCODING_NONE), "none");
    assert_string_equal(sluice_encoding_name(SLUICE_ENCODING_LZ4), "lz4");
    assert_string_equal(sluice_encoding_name(SLUICE_ENCODING_BSLZ4), "bslz4");
}

static void a_new_series_knows_nothing(void **state)
{
    struct sluice_series *series = sluice_series_create();

    (void)state;
    assert_non_null(series);
    assert_int_equal(series->number_of_images, 0);
    assert_true(isnan(series->sensor_thickness) && isnan(series->beam_center_x) &&
                isnan(series->beam_center_y) && isnan(series->pixel_size_x) &&
                isnan(series->pixel_size_y) && isnan(series->detector_translation[2]) &&
                isnan(series->incident_energy) && isnan(series->incident_wavelength) &&
                isnan(series->count_time) && isnan(series->frame_time) &&
                isnan(series->detector_readout_time));
    assert_true(isnan(series->channels[SLUICE_PLANES_MAX - 1].threshold_energy));
    assert_true(isnan(series->axes[SLUICE_AXES_MAX - 1].increment));
    assert_int_equal(series->flatfield_applied, -1);
    assert_int_equal(series->pixel_mask_applied, -1);
    assert_int_equal(series->countrate_correction_applied, -1);
    assert_int_equal(series->virtual_pixel_interpolation_applied, -1);
    assert_false(series->has_saturation_value);
    assert_null(series->start_message);
    sluice_series_destroy(series);
}

static void a_series_frees_all_it_owns(void **state)
{
    struct sluice_series *series = sluice_series_create(); /* LeakSanitizer watches */

    (void)state;
    assert_non_null(series);
    series->channel_count = 1;
    series->channels[0].pixel_mask = calloc(4, sizeof(uint32_t));
    series->channels[0].flatfield = calloc(4, sizeof(float));
    series->countrate_table = calloc(4, sizeof(uint32_t));
    series->start_message = strdup("{}");
    sluice_series_destroy(series);
    sluice_series_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_text),
        cmocka_unit_test(setting_an_error_returns_its_status),
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(errno_is_told_in_words),
        cmocka_unit_test(a_full_disk_is_no_space_whatever_was_asked_for),
        cmocka_unit_test(a_prefix_says_where_it_happened),
        cmocka_unit_test(long_messages_are_cut_and_stay_terminated),
        cmocka_unit_test(a_null_error_is_accepted_everywhere),
        cmocka_unit_test(the_fake_clock_stands_still_until_it_is_moved),
        cmocka_unit_test(the_system_clock_goes_forward),
        cmocka_unit_test(times_are_written_as_iso_8601_in_utc),
        cmocka_unit_test(element_types_have_names_and_sizes),
        cmocka_unit_test(a_new_series_knows_nothing),
        cmocka_unit_test(a_series_frees_all_it_owns),
    };

    return cmocka_run_group_tests_name("core: status, error, clock, frame, series", tests, NULL,
                                       NULL);
}
