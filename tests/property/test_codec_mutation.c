/* SPDX-License-Identifier: Apache-2.0
 *
 * The codec on mutated payloads. Properties, for any bytes at all:
 *   - check and decode read nothing outside the payload and write nothing outside the pixels (the
 *     payload lies at the end of its allocation, the pixels between guards);
 *   - where the check complains, the decoder does too;
 *   - an untouched payload decodes to the pixels it was made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec/codec.h"

#define ROUNDS      30000
#define PIXELS_MAX  (40 * 1024)
#define GUARD_BYTES 64

static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static size_t below(size_t bound)
{
    return (size_t)(next_random() % bound);
}

struct subject {
    enum sluice_encoding encoding;
    size_t element_bytes, pixel_bytes, payload_bytes;
    uint8_t pixels[PIXELS_MAX], payload[2 * PIXELS_MAX];
};

static void make_subject(struct subject *subject, struct sluice_codec_scratch *scratch)
{
    const size_t mask = next_random() & next_random() & 0xff;

    subject->encoding = below(2) ? SLUICE_ENCODING_BSLZ4 : SLUICE_ENCODING_LZ4;
    subject->element_bytes = (size_t)1 << below(4);
    subject->pixel_bytes = below(below(8) == 0 ? PIXELS_MAX : 600);
    subject->pixel_bytes -= subject->pixel_bytes % subject->element_bytes;
    for (size_t i = 0; i < subject->pixel_bytes; i++)
        subject->pixels[i] = (uint8_t)(next_random() & mask);
    assert_int_equal(sluice_codec_encode(subject->encoding, subject->pixels, subject->pixel_bytes,
                                         subject->element_bytes, subject->payload,
                                         sizeof subject->payload, &subject->payload_bytes, scratch),
                     SLUICE_OK);
}

/* Numbers at the edges of what a length can be. */
static uint32_t edge_number(void)
{
    static const uint32_t edges[] = {0,    1,          7,          8,          15,
                                     16,   0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
                                     8192, 0x7e000000, 0x7e000001};

    return edges[below(sizeof edges / sizeof edges[0])] + (uint32_t)below(3) - 1;
}

/* Changes `bytes` of payload in place and returns their new number. */
static size_t mutate(uint8_t *payload, size_t bytes)
{
    size_t at = below(4) ? below(bytes) : below(20) % bytes;
    uint32_t number = edge_number();

    switch (below(6)) {
    case 0:
        payload[at] ^= (uint8_t)(1u << below(8));
        return bytes;
    case 1:
        payload[at] = (uint8_t)next_random();
        return bytes;
    case 2:
        for (size_t i = 0; i < 4 && at + i < bytes; i++)
            payload[at + i] = (uint8_t)(number >> (24 - 8 * i));
        return bytes;
    case 3: /* cut */
        return at;
    case 4: { /* a piece copied elsewhere */
        size_t from = below(bytes), length = below(bytes - (from > at ? from : at)) + 1;

        memmove(payload + at, payload + from, length);
        return bytes;
    }
    default: /* a byte taken out */
        memmove(payload + at, payload + at + 1, bytes - at - 1);
        return bytes - 1;
    }
}

/* Runs both ways over the payload and holds them against each other. */
static enum sluice_status judge(const struct subject *subject, const uint8_t *payload, size_t bytes,
                                uint8_t *room, struct sluice_codec_scratch *scratch)
{
    struct sluice_span span = {payload, bytes};
    enum sluice_status check, decode;

    memset(room, 0xa5, subject->pixel_bytes + 2 * GUARD_BYTES);
    check =
        sluice_codec_check(subject->encoding, span, subject->element_bytes, subject->pixel_bytes);
    decode = sluice_codec_decode(subject->encoding, span, subject->element_bytes,
                                 room + GUARD_BYTES, subject->pixel_bytes, scratch);
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        assert_int_equal(room[i], 0xa5);
        assert_int_equal(room[GUARD_BYTES + subject->pixel_bytes + i], 0xa5);
    }
    assert_true(check == SLUICE_OK || check == SLUICE_TRUNCATED || check == SLUICE_MALFORMED ||
                check == SLUICE_MISMATCH);
    assert_true(decode == SLUICE_OK || decode == SLUICE_TRUNCATED || decode == SLUICE_MALFORMED ||
                decode == SLUICE_MISMATCH);
    if (check != SLUICE_OK)
        assert_int_not_equal(decode, SLUICE_OK);
    return decode;
}

static void mutated_payloads_never_leave_their_bounds(void **state)
{
    static struct subject subject;
    static uint8_t room[PIXELS_MAX + 2 * GUARD_BYTES];
    struct sluice_codec_scratch scratch = {0};
    size_t accepted = 0, refused = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t *copy;
        size_t bytes;

        if (round % 20 == 0)
            make_subject(&subject, &scratch);
        copy = malloc(subject.payload_bytes);
        assert_non_null(copy);
        memcpy(copy, subject.payload, subject.payload_bytes);
        bytes = subject.payload_bytes;
        if (round % 20 == 0) {
            assert_int_equal(judge(&subject, copy, bytes, room, &scratch), SLUICE_OK);
            assert_memory_equal(room + GUARD_BYTES, subject.pixels, subject.pixel_bytes);
        } else {
            uint8_t *exact;

            for (size_t times = 1 + below(4); times > 0 && bytes > 0; times--)
                bytes = mutate(copy, bytes);
            exact = malloc(bytes > 0 ? bytes : 1);
            assert_non_null(exact);
            memcpy(exact, copy, bytes);
            if (judge(&subject, exact, bytes, room, &scratch) == SLUICE_OK)
                accepted++;
            else
                refused++;
            free(exact);
        }
        free(copy);
    }
    sluice_codec_scratch_close(&scratch);
    printf("%zu mutants accepted, %zu refused\n", accepted, refused);
    /* The framing has no checksum, so changed literals pass; most other damage must not. */
    assert_true(refused > accepted);
    assert_true(accepted > 0);
}

static void random_bytes_never_leave_their_bounds(void **state)
{
    static struct subject subject;
    static uint8_t room[PIXELS_MAX + 2 * GUARD_BYTES];
    struct sluice_codec_scratch scratch = {0};

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t bytes = below(200);
        uint8_t *payload = malloc(bytes + 1);

        assert_non_null(payload);
        for (size_t i = 0; i < bytes; i++)
            payload[i] = (uint8_t)next_random();
        subject.encoding = below(2) ? SLUICE_ENCODING_BSLZ4 : SLUICE_ENCODING_LZ4;
        subject.element_bytes = (size_t)1 << below(4);
        subject.pixel_bytes = 16 * subject.element_bytes * (1 + below(4));
        if (bytes >= 12 && below(4)) { /* a header that fits, so that the blocks are reached */
            memset(payload, 0, 12);
            payload[6] = (uint8_t)(subject.pixel_bytes >> 8);
            payload[7] = (uint8_t)subject.pixel_bytes;
            payload[11] = (uint8_t)(8 * subject.element_bytes);
            if (bytes >= 16)
                memset(payload + 12, 0, 3);
        }
        judge(&subject, payload, bytes, room, &scratch);
        free(payload);
    }
    sluice_codec_scratch_close(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_payloads_never_leave_their_bounds),
        cmocka_unit_test(random_bytes_never_leave_their_bounds),
    };
    const char *given = getenv("SLUICE_SEED");

    seed = given != NULL ? strtoull(given, NULL, 0) : 20261122;
    if (seed == 0)
        seed = 1; /* xorshift stays at 0 */
    printf("SLUICE_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests_name("codec: mutation", tests, NULL, NULL);
}
