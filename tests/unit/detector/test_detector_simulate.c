/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole simulator over a real socket: a PULL socket here takes everything, the simulator runs
 * in a thread of its own, and each message is decoded with our decoder. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "bench/detector/simulate.h"
#include "core/clock.h"
#include "core/codec/codec.h"
#include "ingest/protocol/stream2.h"
#include "tests/support/skip.h"

#define MESSAGES_MAX 4096

struct received {
    zmq_msg_t messages[MESSAGES_MAX];
    size_t count;
};

/* One run of the simulator and what came of it. */
struct fixture {
    struct sluice_capture capture;
    struct sluice_faults faults;
    struct sluice_simulation_settings settings;
    struct sluice_simulation_report report;
    struct sluice_error error;
    enum sluice_status status;
    struct received got;
    size_t stop_after; /* stop it by a signal after so many messages; 0: never */
    char endpoint[64];
};

static struct sluice_span span_of(struct fixture *fixture, size_t i)
{
    zmq_msg_t *message = &fixture->got.messages[i];
    return (struct sluice_span){zmq_msg_data(message), zmq_msg_size(message)};
}

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void *simulate(void *argument)
{
    struct fixture *fixture = argument;
    fixture->status = sluice_simulate(&fixture->settings, &fixture->report, &fixture->error);
    return NULL;
}

static struct fixture *prepare(void)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    stop = 0;
    fixture->settings = (struct sluice_simulation_settings){
        .sender = {.endpoint = fixture->endpoint,
                   .connect = true,
                   .connect_timeout_ns = 20 * SLUICE_NS_PER_S,
                   .stop = &stop},
        .capture = &fixture->capture,
        .faults = &fixture->faults,
        .image_count = 20,
        .series_count = 1,
        .unique_seed = 77,
        .seed = 77,
        .linger_ns = 20 * SLUICE_NS_PER_S,
        .buffer_bytes_max = 1 << 20,
    };
    return fixture;
}

static struct fixture *prepare_made(enum sluice_encoding encoding)
{
    struct fixture *fixture = prepare();
    struct sluice_capture_make_settings make = {.model = sluice_model_find("tiny"),
                                                .dtype = SLUICE_U16,
                                                .encoding = encoding,
                                                .channel_count = 2,
                                                .frame_count = 3,
                                                .frame_time = 0.001,
                                                .seed = 77,
                                                .header = SLUICE_HEADER_ALL};
    assert_int_equal(sluice_capture_make(&fixture->capture, &make, NULL), SLUICE_OK);
    return fixture;
}

static void add_fault(struct fixture *fixture, const char *text)
{
    if (sluice_faults_add(&fixture->faults, text, &fixture->error) != SLUICE_OK)
        fail_msg("%s", fixture->error.message);
}

/* Runs it and receives everything. */
static void run(struct fixture *fixture)
{
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_PULL);
    size_t bytes = sizeof fixture->endpoint;
    int quiet = 300, end_of_wait = 20000;
    pthread_t thread;
    assert_int_equal(zmq_bind(socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, fixture->endpoint, &bytes), 0);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &end_of_wait, sizeof end_of_wait);
    assert_int_equal(pthread_create(&thread, NULL, simulate, fixture), 0);
    bool joined = false;
    for (;;) {
        zmq_msg_t *message = &fixture->got.messages[fixture->got.count];
        assert_true(fixture->got.count < MESSAGES_MAX);
        zmq_msg_init(message);
        if (zmq_msg_recv(message, socket, 0) < 0) {
            zmq_msg_close(message);
            if (joined)
                break;
            pthread_join(thread, NULL); /* nothing came for long: the sender must be done */
            joined = true;
            continue;
        }
        fixture->got.count++;
        if (fixture->stop_after && fixture->got.count == fixture->stop_after)
            pthread_kill(thread, SIGUSR1);
        zmq_setsockopt(socket, ZMQ_RCVTIMEO, &quiet, sizeof quiet);
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    if (fixture->status != SLUICE_OK)
        fail_msg("%s", fixture->error.message);
    assert_int_equal(fixture->report.messages, fixture->got.count);
    assert_int_equal(fixture->report.undelivered, 0);
}

static void finish(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->got.count; i++)
        zmq_msg_close(&fixture->got.messages[i]);
    sluice_simulation_report_close(&fixture->report);
    sluice_faults_close(&fixture->faults);
    sluice_capture_close(&fixture->capture);
    free(fixture);
}

static enum sluice_status decode(struct fixture *fixture, size_t i,
                                 struct sluice_message_head *head, struct sluice_image *image)
{
    return sluice_stream2_decode(span_of(fixture, i), head, image, NULL, NULL);
}

/* The pixels of image message `i` equal those of the capture's image `k`, byte for byte. */
static void assert_same_planes(const struct fixture *fixture, const struct sluice_image *image,
                               size_t k)
{
    struct sluice_message_head head;
    struct sluice_image source;
    assert_int_equal(sluice_stream2_decode(sluice_multipart_span(&fixture->capture.images[k], 0),
                                           &head, &source, NULL, NULL),
                     SLUICE_OK);
    assert_int_equal(image->plane_count, source.plane_count);
    for (uint32_t p = 0; p < source.plane_count; p++) {
        assert_int_equal(image->planes[p].payload.bytes, source.planes[p].payload.bytes);
        assert_memory_equal(image->planes[p].payload.data, source.planes[p].payload.data,
                            source.planes[p].payload.bytes);
    }
}

static void a_series_has_one_start_contiguous_ids_moving_times_and_one_end(void **state)
{
    (void)state;
    struct fixture *fixture = prepare_made(SLUICE_ENCODING_BSLZ4);
    fixture->settings.image_count = 200;
    run(fixture);
    assert_int_equal(fixture->got.count, 202);
    struct sluice_series *series = NULL;
    struct sluice_message_head head;
    struct sluice_image image;
    assert_int_equal(sluice_stream2_start(span_of(fixture, 0), &series, NULL), SLUICE_OK);
    assert_int_equal(series->number_of_images, 200);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(decode(fixture, i + 1, &head, &image), SLUICE_OK);
        assert_int_equal(head.image_id, i);
        assert_int_equal(head.series_id, series->series_id);
        assert_int_equal(head.unique_id.bytes, strlen(series->unique_id));
        assert_memory_equal(head.unique_id.data, series->unique_id, head.unique_id.bytes);
        assert_true(image.start_time > (double)i * 0.001 - 1e-9);
        assert_true(image.start_time < (double)i * 0.001 + 1e-9);
        assert_same_planes(fixture, &image, i % 3);
    }
    assert_int_equal(decode(fixture, 201, &head, &image), SLUICE_OK);
    assert_int_equal(head.kind, SLUICE_MESSAGE_END);
    assert_int_equal(fixture->report.series[0].distinct, 200);
    sluice_series_destroy(series);
    finish(fixture);
}

static void a_replay_keeps_identity_and_payloads_and_counts_on(void **state)
{
    (void)state;
    const char *shared = getenv("SLUICE_SHARED");
    char directory[512];
    snprintf(directory, sizeof directory, "%s/data/stream2/eiger2_r500k_bslz4_8bit",
             shared ? shared : SLUICE_TEST_SHARED);
    if (access(directory, R_OK) != 0) {
        print_message("no captured data at %s, skipped\n", directory);
        skip_visibly();
    }
    struct fixture *fixture = prepare();
    assert_int_equal(sluice_capture_load(&fixture->capture, directory, NULL), SLUICE_OK);
    assert_int_equal(fixture->capture.image_count, 4);
    fixture->settings.keep_identity = true;
    fixture->settings.image_count = 11;
    run(fixture);
    assert_int_equal(fixture->got.count, 13);
    struct sluice_series *series = NULL;
    struct sluice_message_head head;
    struct sluice_image image;
    assert_int_equal(sluice_stream2_start(span_of(fixture, 0), &series, NULL), SLUICE_OK);
    assert_int_equal(series->number_of_images, 11);
    assert_string_equal(series->unique_id, "01GRXWS1MWTNK0GJYNYKDWCNBY");
    for (size_t i = 0; i < 13; i++)
        assert_memory_equal(span_of(fixture, i).data, "\xd9\xd9\xf7", 3);
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(decode(fixture, i + 1, &head, &image), SLUICE_OK);
        assert_int_equal(head.image_id, i);
        assert_memory_equal(head.unique_id.data, series->unique_id, head.unique_id.bytes);
        assert_same_planes(fixture, &image, i % 4);
    }
    sluice_series_destroy(series);
    finish(fixture);
}

static void several_series_have_ids_and_unique_ids_of_their_own(void **state)
{
    (void)state;
    struct fixture *fixture = prepare_made(SLUICE_ENCODING_LZ4);
    fixture->settings.series_count = 3;
    fixture->settings.has_series_id = true;
    fixture->settings.series_id = 41;
    fixture->settings.untagged = true;
    run(fixture);
    assert_int_equal(fixture->got.count, 3 * 22);
    for (size_t i = 0; i < fixture->got.count; i++) {
        struct sluice_message_head head;
        struct sluice_image image;
        const struct sluice_series_report *series = &fixture->report.series[i / 22];
        assert_int_equal(decode(fixture, i, &head, &image), SLUICE_OK);
        assert_int_equal(head.series_id, 41 + i / 22);
        assert_int_not_equal(span_of(fixture, i).data[0], 0xd9);
        assert_memory_equal(head.unique_id.data, series->identity.unique_id, 26);
    }
    assert_string_not_equal(fixture->report.series[0].identity.unique_id,
                            fixture->report.series[1].identity.unique_id);
    finish(fixture);
}

/* Every spoiled image must be refused and every other one accepted, whatever the encoding. */
static void spoiled_messages_are_refused_by_the_decoder_and_no_others(void **state)
{
    (void)state;
    static const char *const faults[] = {"corrupt=0-79", "truncated=80-159", "wrongsize=160-199",
                                         "random=200-239"};
    for (int e = SLUICE_ENCODING_NONE; e <= SLUICE_ENCODING_BSLZ4; e++) {
        struct fixture *fixture = prepare_made((enum sluice_encoding)e);
        fixture->settings.image_count = 250;
        for (int i = 0; i < 4; i++)
            add_fault(fixture, faults[i]);
        run(fixture);
        assert_int_equal(fixture->got.count, 252);
        for (size_t i = 0; i < 250; i++) {
            struct sluice_message_head head;
            struct sluice_image image;
            enum sluice_status status = decode(fixture, i + 1, &head, &image);
            if ((status != SLUICE_OK) != (i < 240))
                fail_msg("image %zu, encoding %d: %s", i, e, sluice_status_text(status));
        }
        const struct sluice_series_report *series = &fixture->report.series[0];
        assert_int_equal(series->images, 250);
        assert_int_equal(series->distinct, 10);
        assert_int_equal(series->faults[SLUICE_FAULT_CORRUPT], 80);
        assert_int_equal(series->faults[SLUICE_FAULT_TRUNCATED], 80);
        assert_int_equal(series->faults[SLUICE_FAULT_WRONGSIZE], 40);
        assert_int_equal(series->faults[SLUICE_FAULT_RANDOM], 40);
        finish(fixture);
    }
}

static void foreign_and_early_images_are_good_images_of_other_series(void **state)
{
    (void)state;
    struct fixture *fixture = prepare_made(SLUICE_ENCODING_BSLZ4);
    fixture->settings.has_series_id = true;
    fixture->settings.series_id = 10;
    add_fault(fixture, "foreign=3");
    add_fault(fixture, "early=2");
    run(fixture);
    assert_int_equal(fixture->got.count, 2 + 1 + 20 + 1 + 1);
    struct sluice_message_head head[3];
    struct sluice_image image;
    assert_int_equal(decode(fixture, 0, &head[0], &image), SLUICE_OK);
    assert_int_equal(head[0].series_id, 9);
    assert_int_equal(head[0].image_id, 18);
    assert_int_equal(decode(fixture, 6, &head[1], &image), SLUICE_OK);
    assert_int_equal(head[1].image_id, 3);
    assert_int_equal(head[1].series_id, 10);
    assert_int_equal(decode(fixture, 7, &head[2], &image), SLUICE_OK);
    assert_int_equal(head[2].image_id, 3);
    assert_memory_not_equal(head[0].unique_id.data, head[1].unique_id.data, 26);
    assert_memory_not_equal(head[1].unique_id.data, head[2].unique_id.data, 26);
    assert_int_equal(fixture->report.series[0].images, 23);
    assert_int_equal(fixture->report.series[0].distinct, 20);
    finish(fixture);
}

static void a_new_start_cuts_the_first_series_short(void **state)
{
    (void)state;
    struct fixture *fixture = prepare_made(SLUICE_ENCODING_BSLZ4);
    add_fault(fixture, "newstart=7");
    run(fixture);
    assert_int_equal(fixture->got.count, 1 + 7 + 22);
    assert_int_equal(fixture->report.series_count, 2);
    assert_int_equal(fixture->report.series[0].images, 7);
    assert_int_equal(fixture->report.series[0].ends, 0);
    assert_int_equal(fixture->report.series[1].images, 20);
    assert_int_equal(fixture->report.series[1].ends, 1);
    finish(fixture);
}

static void a_stop_in_the_middle_sends_the_end(void **state)
{
    (void)state;
    struct fixture *fixture = prepare_made(SLUICE_ENCODING_BSLZ4);
    fixture->settings.image_count = 1000000;
    fixture->settings.rate_hz = 500;
    fixture->stop_after = 30;
    run(fixture);
    struct sluice_message_head head;
    struct sluice_image image;
    assert_true(fixture->report.stopped);
    assert_int_equal(fixture->report.series[0].images, fixture->got.count - 2);
    assert_int_equal(decode(fixture, fixture->got.count - 1, &head, &image), SLUICE_OK);
    assert_int_equal(head.kind, SLUICE_MESSAGE_END);
    finish(fixture);
}

static void the_schedule_is_absolute_and_survives_a_stall(void **state)
{
    (void)state;
    struct fixture *fixture = prepare_made(SLUICE_ENCODING_BSLZ4);
    fixture->settings.image_count = 200;
    fixture->settings.rate_hz = 400;
    add_fault(fixture, "stall=50:100");
    run(fixture);
    /* image 199 is due at 497.5 ms although 100 ms were stalled; never earlier */
    assert_true(fixture->report.seconds >= 0.4975);
    assert_true(fixture->report.seconds < 5);
    assert_true(fixture->report.behind_max_seconds >= 0.09);
    finish(fixture);
}

static void without_a_receiver_it_gives_up_in_time(void **state)
{
    (void)state;
    struct fixture *fixture = prepare_made(SLUICE_ENCODING_BSLZ4);
    strcpy(fixture->endpoint, "tcp://127.0.0.1:*");
    fixture->settings.sender.connect = false;
    fixture->settings.sender.connect_timeout_ns = 300 * SLUICE_NS_PER_MS;
    simulate(fixture);
    assert_int_equal(fixture->status, SLUICE_TIMEOUT);
    assert_non_null(strstr(fixture->error.message, "no receiver"));
    assert_int_equal(fixture->report.messages, 0);
    finish(fixture);
}

static void folders_that_hold_no_series_are_refused_by_name(void **state)
{
    (void)state;
    char directory[] = "/tmp/sluice-capture-XXXXXX", path[600];
    struct sluice_capture capture;
    struct sluice_error error = {0};
    assert_non_null(mkdtemp(directory));
    assert_int_equal(sluice_capture_load(&capture, directory, &error), SLUICE_NOT_FOUND);
    sluice_error_clear(&error);
    snprintf(path, sizeof path, "%s/a.cbor", directory);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("\xa1\x64type\x65image", file); /* no image_id */
    fclose(file);
    assert_int_equal(sluice_capture_load(&capture, directory, &error), SLUICE_MALFORMED);
    assert_non_null(strstr(error.message, "a.cbor"));
    sluice_error_clear(&error);
    file = fopen(path, "wb");
    assert_non_null(file);
    fputs("\xa2\x64type\x65im", file); /* cut short */
    fclose(file);
    assert_int_equal(sluice_capture_load(&capture, directory, &error), SLUICE_MALFORMED);
    unlink(path);
    rmdir(directory);
    sluice_error_clear(&error);
    assert_int_equal(sluice_capture_load(&capture, directory, &error), SLUICE_NOT_FOUND);
}

int main(void)
{
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_has_one_start_contiguous_ids_moving_times_and_one_end),
        cmocka_unit_test(a_replay_keeps_identity_and_payloads_and_counts_on),
        cmocka_unit_test(several_series_have_ids_and_unique_ids_of_their_own),
        cmocka_unit_test(spoiled_messages_are_refused_by_the_decoder_and_no_others),
        cmocka_unit_test(foreign_and_early_images_are_good_images_of_other_series),
        cmocka_unit_test(a_new_start_cuts_the_first_series_short),
        cmocka_unit_test(a_stop_in_the_middle_sends_the_end),
        cmocka_unit_test(the_schedule_is_absolute_and_survives_a_stall),
        cmocka_unit_test(without_a_receiver_it_gives_up_in_time),
        cmocka_unit_test(folders_that_hold_no_series_are_refused_by_name),
    };
    return exit_status(cmocka_run_group_tests(tests, NULL, NULL));
}
