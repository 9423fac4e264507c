/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of several parts: finding values in JSON, stamping numbers of any length, the hash, what
 * Stream V1 and array-1.0 are made of, altered ones, and reading them back from a folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/detector/json_edit.h"
#include "bench/detector/md5.h"
#include "bench/detector/wire.h"
#include "core/codec/codec.h"

static struct sluice_span text_span(const char *text)
{
    return (struct sluice_span){(const uint8_t *)text, strlen(text)};
}

static void members_are_found_wherever_they_stand(void **state)
{
    (void)state;
    static const char text[] = " {\"a\" : [1, {\"frame\":3}, \"}\\\"\"], \"e\":{}, \"frame\":42 ,"
                               "\"shape\":[ 514,1030],\"type\":\"uint16\",\"x\":-1.5e3} \n";
    struct sluice_span span = text_span(text);
    struct sluice_cbor_range range;
    uint64_t value, pair[2];
    assert_true(sluice_json_is_object(span));
    assert_true(sluice_json_find_uint(span, "frame", &value));
    assert_int_equal(value, 42);
    assert_true(sluice_json_has_text(span, "type", "uint16"));
    assert_false(sluice_json_has_text(span, "type", "uint1"));
    assert_false(sluice_json_find_uint(span, "x", &value));
    assert_false(sluice_json_find(span, "nothing", &range));
    assert_true(sluice_json_find_pair(span, "shape", &range, pair));
    assert_true(pair[0] == 514 && pair[1] == 1030);
    assert_memory_equal(text + range.begin, "[ 514,1030]", range.end - range.begin);
    assert_false(sluice_json_find_pair(span, "frame", &range, pair));
    assert_false(sluice_json_is_object(text_span("[1]")));
    assert_false(sluice_json_is_object(text_span("{\"a\":1}x")));
    assert_false(sluice_json_is_object(text_span("")));
}

static void a_number_is_replaced_and_all_else_stays(void **state)
{
    (void)state;
    struct sluice_cbor text = {0};
    sluice_cbor_raw(&text, text_span("{ \"a\":\"x\", \"nimages\" : 7 , \"ntrigger\":\"1\"}"));
    sluice_json_replace_uint(&text, "nimages", 12345);
    sluice_json_replace_uint(&text, "ntrigger", 9);
    sluice_json_replace_uint(&text, "nothing", 1);
    struct sluice_span want = text_span("{ \"a\":\"x\", \"nimages\" : 12345 , \"ntrigger\":\"9\"}");
    assert_int_equal(text.bytes, want.bytes);
    assert_memory_equal(text.data, want.data, want.bytes);
    sluice_cbor_close(&text);
}

static void hashes_are_those_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hash;
    } cases[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char hash[SLUICE_MD5_TEXT_BYTES];
        struct sluice_span whole = text_span(cases[i].text);
        const struct sluice_span pieces[] = {
            {whole.data, whole.bytes / 3},
            {whole.data + whole.bytes / 3, whole.bytes - whole.bytes / 3}};
        sluice_md5(pieces, 2, hash);
        assert_string_equal(hash, cases[i].hash);
    }
}

static void numbers_of_any_length_are_stamped(void **state)
{
    (void)state;
    static const char text[] = "{\"series\":1,\"frame\":0,\"end\":true}";
    struct sluice_template template = {0};
    struct sluice_identity identity = {.series_id = UINT64_MAX};
    sluice_multipart_add(&template.parts, text_span(text));
    sluice_template_add(&template, (struct sluice_slot){.at = 20,
                                                        .bytes = 1,
                                                        .form = SLUICE_SLOT_DECIMAL,
                                                        .value = SLUICE_SLOT_COUNTED,
                                                        .base = 10,
                                                        .step = 1});
    sluice_template_add(&template, (struct sluice_slot){.at = 10,
                                                        .bytes = 1,
                                                        .form = SLUICE_SLOT_DECIMAL,
                                                        .value = SLUICE_SLOT_SERIES_ID});
    size_t room = sluice_template_room(&template, 0);
    char *out = malloc(room + 1);
    assert_non_null(out);
    memcpy(out, text, sizeof text);
    out[sluice_template_stamp(&template, 0, &identity, 999999, (uint8_t *)out)] = '\0';
    assert_string_equal(out, "{\"series\":18446744073709551615,\"frame\":1000009,\"end\":true}");
    identity.series_id = 0; /* and shorter again */
    out[sluice_template_stamp(&template, 0, &identity, 0, (uint8_t *)out)] = '\0';
    assert_string_equal(out, "{\"series\":0,\"frame\":10,\"end\":true}");
    free(out);
    sluice_template_close(&template);
}

static struct sluice_capture make(enum sluice_wire_protocol protocol, enum sluice_dtype dtype,
                                  enum sluice_encoding encoding, enum sluice_header_detail header)
{
    struct sluice_capture capture;
    struct sluice_error error = {0};
    const struct sluice_capture_make_settings settings = {.protocol = protocol,
                                                          .model = sluice_model_find("tiny"),
                                                          .dtype = dtype,
                                                          .encoding = encoding,
                                                          .channel_count = 1,
                                                          .frame_count = 3,
                                                          .frame_time = 0.002,
                                                          .seed = 9,
                                                          .header = header,
                                                          .first_frame = 70};
    if (sluice_capture_make(&capture, &settings, &error) != SLUICE_OK)
        fail_msg("%s", error.message);
    return capture;
}

static void stream1_headers_have_their_parts_for_each_detail(void **state)
{
    (void)state;
    static const uint32_t parts[] = {
        [SLUICE_HEADER_BASIC] = 2, [SLUICE_HEADER_ALL] = 8, [SLUICE_HEADER_NONE] = 1};
    for (int detail = SLUICE_HEADER_BASIC; detail <= SLUICE_HEADER_NONE; detail++) {
        struct sluice_capture capture = make(SLUICE_WIRE_STREAM1, SLUICE_U16, SLUICE_ENCODING_BSLZ4,
                                             (enum sluice_header_detail)detail);
        assert_int_equal(capture.start.count, parts[detail]);
        assert_int_equal(capture.images[0].count, 4);
        assert_int_equal(capture.end.count, 1);
        assert_int_equal(sluice_wire_stream1.role(&capture.start), SLUICE_WIRE_START);
        assert_int_equal(sluice_wire_stream1.role(&capture.images[2]), SLUICE_WIRE_IMAGE);
        assert_int_equal(sluice_wire_stream1.role(&capture.end), SLUICE_WIRE_END);
        assert_int_equal(sluice_wire_stream2.role(&capture.end), SLUICE_WIRE_NONE);
        sluice_capture_close(&capture);
    }
}

static void a_bare_block_is_what_the_framing_would_hold(void **state)
{
    (void)state;
    struct sluice_capture capture =
        make(SLUICE_WIRE_STREAM1, SLUICE_U32, SLUICE_ENCODING_LZ4, SLUICE_HEADER_BASIC);
    struct sluice_capture raw =
        make(SLUICE_WIRE_STREAM1, SLUICE_U32, SLUICE_ENCODING_NONE, SLUICE_HEADER_BASIC);
    struct sluice_span block = sluice_multipart_span(&capture.images[1], 2);
    struct sluice_span want = sluice_multipart_span(&raw.images[1], 2);
    size_t total = 64 * 64 * 4;
    uint8_t *framed = calloc(1, 16 + block.bytes), *pixels = malloc(total);
    struct sluice_codec_scratch scratch = {0};
    assert_non_null(framed);
    assert_non_null(pixels);
    framed[6] = framed[10] = (uint8_t)(total >> 8);
    framed[14] = (uint8_t)(block.bytes >> 8);
    framed[15] = (uint8_t)block.bytes;
    memcpy(framed + 16, block.data, block.bytes);
    assert_int_equal(want.bytes, total);
    assert_int_equal(sluice_codec_decode(SLUICE_ENCODING_LZ4,
                                         (struct sluice_span){framed, 16 + block.bytes}, 4, pixels,
                                         total, &scratch),
                     SLUICE_OK);
    assert_memory_equal(pixels, want.data, total);
    free(framed);
    free(pixels);
    sluice_codec_scratch_close(&scratch);
    sluice_capture_close(&capture);
    sluice_capture_close(&raw);
}

/* A copy of the capture's image 0, altered. */
static struct sluice_multipart alter(const struct sluice_capture *capture,
                                     struct sluice_alteration alteration)
{
    struct sluice_multipart message = {0};
    const struct sluice_identity identity = {.series_id = 1};
    for (uint32_t p = 0; p < capture->images[0].count; p++)
        sluice_multipart_add(&message, sluice_multipart_span(&capture->images[0], p));
    sluice_wire_of(capture->protocol)->alter(&message, &identity, &alteration);
    assert_false(sluice_multipart_failed(&message));
    return message;
}

static bool same_message(const struct sluice_multipart *a, const struct sluice_multipart *b)
{
    bool same = a->count == b->count;
    for (uint32_t p = 0; same && p < a->count; p++)
        same = a->part[p].bytes == b->part[p].bytes &&
               memcmp(a->part[p].data, b->part[p].data, a->part[p].bytes) == 0;
    return same;
}

/* What a careful receiver of array-1.0 accepts. */
static bool array_is_sound(const struct sluice_multipart *message)
{
    struct sluice_span head = sluice_multipart_span(message, 0);
    struct sluice_cbor_range range;
    uint64_t shape[2];
    size_t element = sluice_json_has_text(head, "type", "uint16")   ? 2
                     : sluice_json_has_text(head, "type", "int16")  ? 2
                     : sluice_json_has_text(head, "type", "uint32") ? 4
                                                                    : 0;
    return message->count == 2 && sluice_json_is_object(head) &&
           sluice_json_find_pair(head, "shape", &range, shape) &&
           shape[0] * shape[1] * element == message->part[1].bytes;
}

static void altered_messages_contradict_themselves_and_reshaped_ones_do_not(void **state)
{
    (void)state;
    static const enum sluice_fault_kind faults[] = {SLUICE_FAULT_CORRUPT, SLUICE_FAULT_TRUNCATED,
                                                    SLUICE_FAULT_WRONGSIZE, SLUICE_FAULT_WRONGTYPE,
                                                    SLUICE_FAULT_RANDOM};
    struct sluice_capture capture =
        make(SLUICE_WIRE_ARRAY, SLUICE_U16, SLUICE_ENCODING_NONE, SLUICE_HEADER_BASIC);
    assert_true(array_is_sound(&capture.images[0]));
    for (int forms = 0; forms < 4; forms++) {
        struct sluice_alteration alteration = {
            .reshape = forms & 1, .retype = forms & 2, .fault = SLUICE_FAULT_KIND_COUNT};
        struct sluice_multipart message = alter(&capture, alteration);
        assert_true(array_is_sound(&message));
        assert_true(same_message(&message, &capture.images[0]) == (forms == 0));
        sluice_multipart_close(&message);
        for (size_t f = 0; f < 5; f++) {
            for (alteration.chance = 0; alteration.chance < 50; alteration.chance++) {
                alteration.fault = faults[f];
                message = alter(&capture, alteration);
                assert_false(array_is_sound(&message));
                sluice_multipart_close(&message);
            }
        }
    }
    sluice_capture_close(&capture);
}

static void write_parts(const char *directory, int number, const struct sluice_multipart *message)
{
    for (uint32_t p = 0; p < message->count; p++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%06d.part%02u", directory, number, p);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(message->part[p].data, 1, message->part[p].bytes, file),
                         message->part[p].bytes);
        fclose(file);
    }
}

static void remove_all(const char *directory)
{
    char command[700];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    assert_int_equal(system(command), 0);
}

static void a_folder_of_parts_is_the_capture_again(void **state)
{
    (void)state;
    for (int protocol = SLUICE_WIRE_STREAM2; protocol < SLUICE_WIRE_PROTOCOL_COUNT; protocol++) {
        char directory[] = "/tmp/sluice-parts-XXXXXX";
        struct sluice_capture capture = make((enum sluice_wire_protocol)protocol, SLUICE_U16,
                                             SLUICE_ENCODING_NONE, SLUICE_HEADER_ALL);
        struct sluice_capture loaded;
        struct sluice_error error = {0};
        assert_non_null(mkdtemp(directory));
        write_parts(directory, 0, &capture.start);
        for (int i = 0; i < 3; i++)
            write_parts(directory, 1 + i, &capture.images[i]);
        write_parts(directory, 4, &capture.end);
        if (sluice_capture_load(&loaded, directory, &error) != SLUICE_OK)
            fail_msg("%s", error.message);
        assert_int_equal(loaded.protocol, protocol);
        assert_int_equal(loaded.image_count, 3);
        assert_true(same_message(&loaded.start, &capture.start));
        assert_true(same_message(&loaded.images[2], &capture.images[2]));
        assert_true(same_message(&loaded.end, &capture.end));
        assert_string_equal(loaded.unique_id, capture.unique_id);
        assert_int_equal(loaded.series_id, protocol == SLUICE_WIRE_ARRAY ? 0 : 1);
        assert_int_equal(loaded.first_frame, protocol == SLUICE_WIRE_ARRAY ? 70 : 0);
        sluice_capture_close(&loaded);
        sluice_capture_close(&capture);
        remove_all(directory);
    }
}

static void folders_that_mix_protocols_are_refused_by_name(void **state)
{
    (void)state;
    char directory[] = "/tmp/sluice-parts-XXXXXX";
    struct sluice_capture one =
        make(SLUICE_WIRE_STREAM1, SLUICE_U16, SLUICE_ENCODING_NONE, SLUICE_HEADER_BASIC);
    struct sluice_capture other =
        make(SLUICE_WIRE_ARRAY, SLUICE_U16, SLUICE_ENCODING_NONE, SLUICE_HEADER_BASIC);
    struct sluice_capture loaded;
    struct sluice_error error = {0};
    assert_non_null(mkdtemp(directory));
    write_parts(directory, 0, &one.start);
    write_parts(directory, 1, &other.images[0]);
    assert_int_equal(sluice_capture_load(&loaded, directory, &error), SLUICE_MALFORMED);
    assert_non_null(strstr(error.message, "000001.part00"));
    sluice_error_clear(&error);
    one.images[0].count = 2; /* the blob is missing */
    write_parts(directory, 0, &one.images[0]);
    assert_int_equal(sluice_capture_load(&loaded, directory, &error), SLUICE_MALFORMED);
    assert_non_null(strstr(error.message, "000000.part00"));
    one.images[0].count = 4;
    sluice_capture_close(&one);
    sluice_capture_close(&other);
    remove_all(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_wherever_they_stand),
        cmocka_unit_test(a_number_is_replaced_and_all_else_stays),
        cmocka_unit_test(hashes_are_those_of_the_rfc),
        cmocka_unit_test(numbers_of_any_length_are_stamped),
        cmocka_unit_test(stream1_headers_have_their_parts_for_each_detail),
        cmocka_unit_test(a_bare_block_is_what_the_framing_would_hold),
        cmocka_unit_test(altered_messages_contradict_themselves_and_reshaped_ones_do_not),
        cmocka_unit_test(a_folder_of_parts_is_the_capture_again),
        cmocka_unit_test(folders_that_mix_protocols_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
