/* SPDX-License-Identifier: Apache-2.0
 *
 * What the encoder writes, our own decoder reads back: every field of start, image and end. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/detector/capture.h"
#include "bench/detector/scene.h"
#include "core/codec/codec.h"
#include "ingest/protocol/stream2.h"

static struct sluice_capture make(const struct sluice_capture_make_settings *settings)
{
    struct sluice_capture capture;
    struct sluice_error error = {0};
    if (sluice_capture_make(&capture, settings, &error) != SLUICE_OK)
        fail_msg("%s", error.message);
    return capture;
}

static const struct sluice_capture_make_settings *plain(enum sluice_dtype dtype,
                                                        enum sluice_encoding encoding)
{
    static struct sluice_capture_make_settings settings;
    settings = (struct sluice_capture_make_settings){.model = sluice_model_find("s256"),
                                                     .dtype = dtype,
                                                     .encoding = encoding,
                                                     .channel_count = 3,
                                                     .frame_count = 3,
                                                     .frame_time = 0.002,
                                                     .seed = 9,
                                                     .header = SLUICE_HEADER_ALL};
    return &settings;
}

static void every_message_begins_with_the_tag_and_its_type(void **state)
{
    (void)state;
    struct sluice_capture capture = make(plain(SLUICE_U16, SLUICE_ENCODING_BSLZ4));
    const struct sluice_multipart *messages[] = {&capture.start, &capture.images[0], &capture.end};
    for (int i = 0; i < 3; i++) {
        struct sluice_span span = sluice_multipart_span(messages[i], 0);
        assert_int_equal(messages[i]->count, 1);
        assert_memory_equal(span.data, "\xd9\xd9\xf7", 3);
        assert_true(sluice_cbor_is_map(span));
        assert_true(sluice_stream2_probe(span));
    }
    sluice_capture_close(&capture);
}

static void a_start_message_reads_back_field_by_field(void **state)
{
    (void)state;
    struct sluice_capture capture = make(plain(SLUICE_U16, SLUICE_ENCODING_BSLZ4));
    struct sluice_series *series = NULL;
    struct sluice_error error = {0};
    if (sluice_stream2_start(sluice_multipart_span(&capture.start, 0), &series, &error) !=
        SLUICE_OK)
        fail_msg("%s", error.message);
    struct sluice_scene_settings settings = {.model = sluice_model_find("s256"),
                                             .dtype = SLUICE_U16,
                                             .channel_count = 3,
                                             .frame_time = 0.002,
                                             .seed = 9};
    struct sluice_scene scene = {0};
    assert_int_equal(sluice_scene_init(&scene, &settings, NULL), SLUICE_OK);
    struct sluice_series *sent = sluice_scene_describe(&scene);
    assert_non_null(sent);
    assert_int_equal(series->series_id, 1);
    assert_string_equal(series->unique_id, capture.unique_id);
    assert_int_equal(series->number_of_images, 3);
    assert_int_equal(series->width, 256);
    assert_int_equal(series->height, 256);
    assert_int_equal(series->dtype, SLUICE_U16);
    assert_string_equal(series->detector_description, sent->detector_description);
    assert_string_equal(series->detector_serial_number, sent->detector_serial_number);
    assert_string_equal(series->sensor_material, "Si");
    assert_true(series->sensor_thickness == sent->sensor_thickness);
    assert_true(series->beam_center_x == sent->beam_center_x);
    assert_true(series->beam_center_y == sent->beam_center_y);
    assert_true(series->pixel_size_x == 75e-6 && series->pixel_size_y == 75e-6);
    assert_memory_equal(series->detector_translation, sent->detector_translation,
                        sizeof sent->detector_translation);
    assert_true(series->incident_energy == sent->incident_energy);
    assert_true(series->incident_wavelength == sent->incident_wavelength);
    assert_true(series->count_time == sent->count_time);
    assert_true(series->frame_time == 0.002);
    assert_int_equal(series->saturation_value, 50000);
    assert_int_equal(series->pixel_mask_applied, 1);
    assert_int_equal(series->axis_count, sent->axis_count);
    for (uint32_t a = 0; a < sent->axis_count; a++) {
        assert_string_equal(series->axes[a].name, sent->axes[a].name);
        assert_true(series->axes[a].start == sent->axes[a].start);
        assert_true(series->axes[a].increment == sent->axes[a].increment);
    }
    assert_int_equal(series->channel_count, 3);
    size_t pixels = 256 * 256;
    for (int c = 0; c < 2; c++) {
        assert_string_equal(series->channels[c].name, sent->channels[c].name);
        assert_true(series->channels[c].threshold_energy == sent->channels[c].threshold_energy);
        assert_memory_equal(series->channels[c].pixel_mask, sent->channels[c].pixel_mask,
                            pixels * sizeof(uint32_t));
        assert_memory_equal(series->channels[c].flatfield, sent->channels[c].flatfield,
                            pixels * sizeof(float));
    }
    assert_string_equal(series->channels[2].name, "difference");
    assert_null(series->channels[2].pixel_mask);
    assert_int_equal(series->countrate_table_count, sent->countrate_table_count);
    assert_memory_equal(series->countrate_table, sent->countrate_table,
                        sent->countrate_table_count * sizeof(uint32_t));
    sluice_series_destroy(sent);
    sluice_series_destroy(series);
    sluice_scene_close(&scene);
    sluice_capture_close(&capture);
}

static void header_basic_has_no_arrays(void **state)
{
    (void)state;
    struct sluice_capture_make_settings settings = *plain(SLUICE_U16, SLUICE_ENCODING_BSLZ4);
    settings.header = SLUICE_HEADER_BASIC;
    struct sluice_capture capture = make(&settings);
    struct sluice_series *series = NULL;
    assert_int_equal(sluice_stream2_start(sluice_multipart_span(&capture.start, 0), &series, NULL),
                     SLUICE_OK);
    assert_true(sluice_multipart_bytes(&capture.start) < 2000);
    assert_null(series->channels[0].pixel_mask);
    assert_null(series->channels[0].flatfield);
    assert_null(series->countrate_table);
    sluice_series_destroy(series);
    sluice_capture_close(&capture);
}

static void images_read_back_in_every_type_and_encoding(void **state)
{
    (void)state;
    static const char *const names[] = {"threshold_1", "threshold_2", "difference"};
    for (int dtype = SLUICE_U8; dtype <= SLUICE_U32; dtype++) {
        for (int encoding = SLUICE_ENCODING_NONE; encoding <= SLUICE_ENCODING_BSLZ4; encoding++) {
            struct sluice_capture capture =
                make(plain((enum sluice_dtype)dtype, (enum sluice_encoding)encoding));
            struct sluice_scene_settings settings = {.model = sluice_model_find("s256"),
                                                     .dtype = (enum sluice_dtype)dtype,
                                                     .channel_count = 3,
                                                     .frame_time = 0.002,
                                                     .seed = 9};
            struct sluice_scene scene = {0};
            assert_int_equal(sluice_scene_init(&scene, &settings, NULL), SLUICE_OK);
            sluice_scene_expose(&scene, 2);
            struct sluice_message_head head;
            struct sluice_image image;
            struct sluice_error error = {0};
            if (sluice_stream2_decode(sluice_multipart_span(&capture.images[2], 0), &head, &image,
                                      NULL, &error) != SLUICE_OK)
                fail_msg("%s", error.message);
            assert_int_equal(head.image_id, 2);
            assert_int_equal(image.plane_count, 3);
            assert_true(fabs(image.start_time - 0.004) < 1e-9);
            assert_true(fabs(image.real_time - 0.0019999) < 1e-7);
            assert_true(fabs(image.stop_time - image.start_time - image.real_time) < 1e-9);
            size_t bytes = 256 * 256 * sluice_dtype_bytes((enum sluice_dtype)dtype);
            uint8_t *got = malloc(bytes), *want = malloc(bytes);
            struct sluice_codec_scratch scratch = {0};
            for (uint32_t p = 0; p < 3; p++) {
                const struct sluice_plane *plane = &image.planes[p];
                assert_int_equal(plane->channel.bytes, strlen(names[p]));
                assert_memory_equal(plane->channel.data, names[p], plane->channel.bytes);
                assert_int_equal(plane->dtype, dtype);
                assert_int_equal(plane->encoding, encoding);
                assert_int_equal(sluice_codec_decode(plane->encoding, plane->payload,
                                                     sluice_dtype_bytes(plane->dtype), got, bytes,
                                                     &scratch),
                                 SLUICE_OK);
                sluice_scene_read(&scene, p, want);
                assert_memory_equal(got, want, bytes);
            }
            free(got);
            free(want);
            sluice_codec_scratch_close(&scratch);
            sluice_scene_close(&scene);
            sluice_capture_close(&capture);
        }
    }
}

static void made_ids_are_26_characters_and_distinct(void **state)
{
    (void)state;
    char a[SLUICE_MADE_ID_BYTES], b[SLUICE_MADE_ID_BYTES];
    sluice_unique_id_make(1, 0, a);
    sluice_unique_id_make(0, 1, b);
    assert_int_equal(strlen(a), 26);
    assert_string_equal(b, "00000000000000000000000001");
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_begins_with_the_tag_and_its_type),
        cmocka_unit_test(a_start_message_reads_back_field_by_field),
        cmocka_unit_test(header_basic_has_no_arrays),
        cmocka_unit_test(images_read_back_in_every_type_and_encoding),
        cmocka_unit_test(made_ids_are_26_characters_and_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
