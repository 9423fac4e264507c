/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows written past HDF5: the same images, written by HDF5 and past it, make files in which HDF5
 * finds the same, object by object. In order, out of order over pages of the index and blocks of
 * columns, with gaps, user data and several channels; and while the file grows. */
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "peek.h"
#include "writer/append/append.h"
#include "writer/append/lookup3.h"
#include "writer/append/object_header.h"
#include "writer/h5/h5.h"

/* When set, files are refused as ones of an HDF5 that writes them in another way; else none is. */
static bool refused;
static unsigned refusals;
struct sluice_append *__real_sluice_append_begin(struct sluice_direct *direct, int descriptor,
                                                 const struct sluice_append_plan *plan);
struct sluice_append *__wrap_sluice_append_begin(struct sluice_direct *direct, int descriptor,
                                                 const struct sluice_append_plan *plan);
struct sluice_append *__wrap_sluice_append_begin(struct sluice_direct *direct, int descriptor,
                                                 const struct sluice_append_plan *plan)
{
    struct sluice_append *append = NULL;
    if (!refused) {
        append = __real_sluice_append_begin(direct, descriptor, plan);
        assert_non_null(append);
    }
    refusals += refused;
    return append;
}

/* Which store of a map is refused, from 1; 0: none. */
static struct stores {
    unsigned refused, count;
} stores;
bool __real_sluice_map_store(struct sluice_map *map, uint64_t position, const uint8_t *data,
                             size_t from, size_t to, size_t bytes, bool sealed);
bool __wrap_sluice_map_store(struct sluice_map *map, uint64_t position, const uint8_t *data,
                             size_t from, size_t to, size_t bytes, bool sealed);
bool __wrap_sluice_map_store(struct sluice_map *map, uint64_t position, const uint8_t *data,
                             size_t from, size_t to, size_t bytes, bool sealed)
{
    if (++stores.count != stores.refused)
        return __real_sluice_map_store(map, position, data, from, to, bytes, sealed);
    map->memory[position + from] = 1; /* some of it may be there */
    sluice_map_close(map);
    return false;
}

/* What lies in a file between two pages of one write: where a kill can cut it. */
#define MEMORY_PAGE 4096
static struct cuts {
    bool watched;
    uint64_t from, to; /* the index */
    unsigned cuts;     /* writes of it that lie in more than one page */
    unsigned kill_at;  /* such a write, from 1: what is in the file then goes to `copy` */
    char copy[512];
} cuts;
int __real_sluice_write_fully(int fd, const void *data, size_t bytes, uint64_t position);
int __wrap_sluice_write_fully(int fd, const void *data, size_t bytes, uint64_t position);

static void copy_file(int fd)
{
    static uint8_t block[1 << 16];
    ssize_t got;
    int to = open(cuts.copy, O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_true(to >= 0);
    for (off_t at = 0; (got = pread(fd, block, sizeof(block), at)) > 0; at += got)
        assert_int_equal(pwrite(to, block, (size_t)got, at), got);
    close(to);
}

int __wrap_sluice_write_fully(int fd, const void *data, size_t bytes, uint64_t position)
{
    const uint64_t edge = (position / MEMORY_PAGE + 1) * MEMORY_PAGE;
    if (cuts.watched && position >= cuts.from && position < cuts.to && position + bytes > edge &&
        ++cuts.cuts == cuts.kill_at) {
        assert_int_equal(__real_sluice_write_fully(fd, data, edge - position, position), 0);
        copy_file(fd);
    }
    return __real_sluice_write_fully(fd, data, bytes, position);
}

#define ROWS 2600 /* three pages of an index, eleven blocks of columns */

/* What one object of a file holds, as bytes to compare. */
struct content {
    int rank;
    hsize_t dims[3];
    size_t bytes;
    void *data;
};

static struct content read_dataset(hid_t dataset)
{
    struct content content = {0};
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    content.rank = H5Sget_simple_extent_dims(space, content.dims, NULL);
    content.bytes = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
    content.data = calloc(content.bytes + 1, 1);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, content.data) >= 0);
    H5Tclose(type);
    H5Sclose(space);
    return content;
}

/* The images' bytes as stored: nothing here decodes. */
static struct content read_chunks(hid_t dataset)
{
    struct content content = {0};
    hid_t space = H5Dget_space(dataset);
    content.rank = H5Sget_simple_extent_dims(space, content.dims, NULL);
    content.data = calloc((size_t)content.dims[0] + 1, PAYLOAD_MAX);
    for (hsize_t row = 0; row < content.dims[0]; row++) {
        const hsize_t at[3] = {row, 0, 0};
        hsize_t bytes = 0;
        uint32_t mask = 0;
        uint8_t *to = (uint8_t *)content.data + content.bytes;
        H5Dget_chunk_storage_size(dataset, at, &bytes);
        assert_true(bytes < PAYLOAD_MAX);
        memcpy(to, &bytes, sizeof(bytes));
        if (bytes > 0)
            assert_true(H5Dread_chunk(dataset, H5P_DEFAULT, at, &mask, to + sizeof(bytes)) >= 0);
        content.bytes += sizeof(bytes) + (size_t)bytes;
    }
    H5Sclose(space);
    return content;
}

static void compare(const struct content *a, const struct content *b, const char *name)
{
    if (a->rank != b->rank || memcmp(a->dims, b->dims, sizeof(a->dims)) != 0 ||
        a->bytes != b->bytes || memcmp(a->data, b->data, a->bytes) != 0)
        fail_msg("%s differs", name);
}

static int last_number(hid_t dataset)
{
    int value = -1;
    hid_t attribute = H5Aopen(dataset, "image_nr_high", H5P_DEFAULT);
    assert_true(H5Aread(attribute, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(attribute);
    return value;
}

static herr_t compare_link(hid_t group, const char *name, const H5L_info_t *link, void *other)
{
    hid_t a = H5Dopen2(group, name, H5P_DEFAULT), b = H5Dopen2(*(hid_t *)other, name, H5P_DEFAULT);
    (void)link;
    assert_true(a >= 0 && b >= 0);
    hid_t plist = H5Dget_create_plist(a);
    const bool images = H5Pget_nfilters(plist) > 0;
    H5Pclose(plist);
    if (images)
        assert_int_equal(last_number(a), last_number(b));
    struct content left = images ? read_chunks(a) : read_dataset(a);
    struct content right = images ? read_chunks(b) : read_dataset(b);
    compare(&left, &right, name);
    free(left.data);
    free(right.data);
    H5Dclose(a);
    H5Dclose(b);
    return 0;
}

static void assert_same_file(const char *a, const char *b)
{
    hid_t left = H5Fopen(a, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t right = H5Fopen(b, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(left >= 0 && right >= 0);
    hid_t data = H5Gopen2(left, "/entry/data", H5P_DEFAULT);
    hid_t other = H5Gopen2(right, "/entry/data", H5P_DEFAULT);
    assert_true(H5Literate(data, H5_INDEX_NAME, H5_ITER_INC, NULL, compare_link, &other) >= 0);
    H5Gclose(data);
    H5Gclose(other);
    H5Fclose(left);
    H5Fclose(right);
    assert_int_equal(read_finished(a), read_finished(b));
}

struct variant {
    uint32_t channels;
    const char *user_data;
    uint64_t per_file;
    const uint64_t *ids; /* NULL: all in order */
    uint64_t count, batch;
};

static struct harness *write_series(const struct variant *variant, enum sluice_index index,
                                    enum sluice_small_writes small)
{
    struct harness *h = harness_new();
    h->settings.io = SLUICE_IO_DIRECT;
    h->settings.index = index;
    h->settings.small_writes = small;
    h->settings.images_per_file = variant->per_file;
    h->settings.files_open_max = 16;
    h->channels = variant->channels;
    h->user_data = variant->user_data;
    harness_start(h);
    harness_open(h, 0);
    for (uint64_t i = 0; i < variant->count; i++) {
        harness_image(h, variant->ids != NULL ? variant->ids[i] : i);
        if ((i + 1) % variant->batch == 0)
            harness_work(h);
    }
    harness_close(h);
    assert_false(h->summary->failed);
    assert_int_equal(h->summary->written, variant->count);
    return h;
}

static void assert_variant(const struct variant *variant)
{
    static const enum sluice_small_writes ways[] = {SLUICE_SMALL_WRITTEN, SLUICE_SMALL_MAPPED};
    struct harness *hdf5 = write_series(variant, SLUICE_INDEX_HDF5, SLUICE_SMALL_WRITTEN);
    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        struct harness *own = write_series(variant, SLUICE_INDEX_OWN, ways[w]);
        assert_int_equal(hdf5->summary->file_count, own->summary->file_count);
        for (size_t f = 0; f < own->summary->file_count; f++)
            assert_same_file(hdf5->summary->files[f], own->summary->files[f]);
        harness_free(own);
    }
    harness_free(hdf5);
}

static void images_in_order_make_the_same_files(void **state)
{
    (void)state;
    assert_variant(&(struct variant){1, NULL, 4, NULL, 10, 1});
    assert_variant(&(struct variant){1, NULL, 1, NULL, 3, 1});
    assert_variant(&(struct variant){1, NULL, 300, NULL, 700, 33});
    assert_variant(&(struct variant){1, NULL, ROWS, NULL, ROWS, 60});
}

static void channels_and_user_data_make_the_same_files(void **state)
{
    (void)state;
    assert_variant(&(struct variant){2, NULL, 40, NULL, 90, 7});
    assert_variant(&(struct variant){1, "{\"a\":1}", 300, NULL, 290, 1});
    assert_variant(&(struct variant){2, "{\"temperature\":300.5}", 1500, NULL, 700, 50});
}

static void images_out_of_order_and_gaps_make_the_same_files(void **state)
{
    (void)state;
    static const uint64_t far[] = {0,    2599, 1300, 1,    1024, 1023, 2047, 2048, 255, 256,
                                   2598, 3,    511,  2049, 1025, 700,  2,    2560, 254, 1301};
    const uint64_t count = sizeof(far) / sizeof(far[0]);
    assert_variant(&(struct variant){1, "{}", ROWS, far, count, 1});
    assert_variant(&(struct variant){1, NULL, ROWS, far, count, 6});
    assert_variant(&(struct variant){1, NULL, 256, far, count, count}); /* files of gaps too */
}

/* Indexes of columns too are longer than a block of metadata, and have pages. */
static void large_files_are_not_left_to_hdf5(void **state)
{
    (void)state;
    static const uint64_t far[] = {0, 1, 100000, 99999, 262144, 262143, 2, 300000};
    const uint64_t count = sizeof(far) / sizeof(far[0]);
    assert_variant(&(struct variant){1, NULL, 10000, NULL, 500, 60});
    assert_variant(&(struct variant){2, "{}", 100000, NULL, 500, 60});
    assert_variant(&(struct variant){1, NULL, 400000, far, count, 1});
}

static void a_file_that_is_not_as_expected_is_left_to_hdf5(void **state)
{
    (void)state;
    refused = true;
    assert_variant(&(struct variant){1, NULL, 40, NULL, 90, 7});
    assert_variant(&(struct variant){2, "{\"a\":1}", 300, NULL, 290, 1});
    refused = false;
    assert_int_equal(refusals, 2 * (3 + 1)); /* one a file */
}

static void a_growing_file_shows_the_rows_that_are_written(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.io = SLUICE_IO_DIRECT;
    h->settings.index = SLUICE_INDEX_OWN;
    h->settings.images_per_file = ROWS;
    harness_start(h);
    harness_open(h, ROWS);
    for (uint64_t id = 0; id < ROWS; id++) {
        harness_image(h, id);
        if (id % 50 != 49)
            continue;
        harness_work(h);
        if (id % 400 == 399) {
            struct peek seen = peek_at(data_path(h, "series_7", 0));
            assert_int_equal(seen.images, id + 1);
            assert_int_equal(seen.keys, id + 1);
            assert_int_equal(seen.set, id + 1);
        }
    }
    harness_close(h);
    assert_image(data_path(h, "series_7", 0), "data", ROWS - 1, ROWS - 1, 0, h->encoding);
    harness_free(h);
}

/* The object header of a dataset as HDF5 makes it. */
static size_t make_header(uint8_t *header, size_t room)
{
    char path[] = "/tmp/sluice-header-XXXXXX";
    const hsize_t rows = 3, most = 2000, chunk = 256;
    const uint8_t zero[3] = {0};
    H5O_info_t info;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && sluice_h5_init(NULL) == SLUICE_OK);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_chunk(plist, 1, &chunk);
    H5Pset_obj_track_times(plist, false);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    hid_t space = H5Screate_simple(1, &rows, &most);
    hid_t data = H5Dcreate2(file, "c", H5T_STD_U8LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    assert_true(H5Dwrite(data, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, zero) >= 0);
    assert_true(H5Oget_info2(data, &info, H5O_INFO_BASIC) >= 0);
    H5Dclose(data);
    H5Sclose(space);
    H5Pclose(plist);
    H5Pclose(access);
    H5Fclose(file);
    ssize_t got = pread(fd, header, room, (off_t)info.addr);
    close(fd);
    unlink(path);
    assert_true(got > 64);
    return (size_t)got;
}

static void a_header_that_is_not_as_expected_is_refused(void **state)
{
    (void)state;
    uint8_t header[600], *copy;
    struct sluice_object_header found;
    const size_t room = make_header(header, sizeof(header));
    assert_true(sluice_object_header_read(&found, header, room));
    assert_int_equal(sluice_le_read(header + found.rows_at, 8), 3);
    sluice_object_header_set_rows(&found, header, 77);
    assert_true(sluice_object_header_read(&found, header, room));
    assert_int_equal(sluice_le_read(header + found.rows_at, 8), 77);
    for (size_t cut = 0; cut < found.bytes; cut++) { /* on the heap: ASan sees a byte too far */
        copy = malloc(cut + 1);
        memcpy(copy, header, cut);
        assert_false(sluice_object_header_read(&found, copy, cut));
        free(copy);
    }
    assert_true(sluice_object_header_read(&found, header, room));
    const size_t bytes = found.bytes;
    for (size_t i = 0; i < bytes; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            header[i] ^= (uint8_t)(1u << bit);
            assert_false(sluice_object_header_read(&found, header, room));
            header[i] ^= (uint8_t)(1u << bit);
        }
}

/* Of the images' index, as they stand in the file. */
struct index_facts {
    unsigned layout_bits, bits;
    uint64_t count, block, bytes;
};

static struct index_facts look_at_index(const char *path)
{
    uint8_t header[4096] = {0}, index[28];
    struct sluice_object_header found;
    H5O_info_t info;
    int fd = open(path, O_RDONLY);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, H5P_DEFAULT);
    if (file < 0)
        file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t data = H5Dopen2(file, "/entry/data/data", H5P_DEFAULT);
    assert_true(fd >= 0 && data >= 0 && H5Oget_info2(data, &info, H5O_INFO_BASIC) >= 0);
    assert_true(pread(fd, header, sizeof(header), (off_t)info.addr) > 0);
    assert_true(sluice_object_header_read(&found, header, sizeof(header)));
    assert_int_equal(pread(fd, index, sizeof(index), (off_t)found.index), sizeof(index));
    H5Dclose(data);
    H5Fclose(file);
    close(fd);
    struct index_facts facts = {.layout_bits = header[found.bits_at],
                                .bits = index[7],
                                .count = sluice_le_read(index + 8, 8),
                                .block = sluice_le_read(index + 16, 8)};
    const uint64_t pages = facts.count > UINT64_C(1) << facts.bits ? facts.count >> facts.bits : 0;
    facts.bytes = 18 + pages / 8 + facts.count * index[6] + pages * 4;
    return facts;
}

static struct harness *begin_pages(uint64_t page, uint64_t per_file, enum sluice_small_writes small)
{
    struct harness *h = harness_new();
    h->settings.small_writes = small;
    h->settings.io = SLUICE_IO_DIRECT;
    h->settings.index = SLUICE_INDEX_OWN;
    h->settings.index_page = page;
    h->settings.images_per_file = per_file;
    h->settings.images_per_file_max = per_file;
    harness_start(h);
    harness_open(h, per_file);
    harness_image(h, 0);
    harness_work(h);
    return h;
}

static void assert_bits(uint64_t page, uint64_t per_file, unsigned bits)
{
    struct harness *h = begin_pages(page, per_file, SLUICE_SMALL_MAPPED);
    const struct index_facts live = look_at_index(data_path(h, "series_7", 0));
    assert_int_equal(live.bits, bits);
    harness_close(h);
    const struct index_facts closed = look_at_index(data_path(h, "series_7", 0));
    assert_int_equal(closed.bits, bits);
    assert_int_equal(closed.layout_bits, bits); /* HDF5 read it anew: it wrote the header again */
    assert_int_equal(closed.count, per_file);
    harness_free(h);
}

static void pages_of_an_index_are_as_long_as_wanted(void **state)
{
    (void)state;
    assert_bits(0, 1000, 10);
    assert_bits(1024, 3000, 10);
    assert_bits(32, 32, 10); /* one page */
    assert_bits(32, 33, 5);
    assert_bits(33, 1000, 6);
    assert_bits(1, 1000, 1);
    assert_bits(1, 100000, 5); /* 4096 pages at most */
}

static bool maps_files(void)
{
    static const uint8_t page[MEMORY_PAGE];
    char path[] = "/tmp/sluice-map-XXXXXX";
    struct sluice_map map;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, page, sizeof(page)) == sizeof(page));
    sluice_map_open(&map, fd);
    const bool maps = map.memory != NULL;
    sluice_map_close(&map);
    close(fd);
    unlink(path);
    return maps;
}

/* A file system that takes no page any more: what would be stored is written. */
static void a_map_that_is_refused_is_left_for_writes(void **state)
{
    (void)state;
    static const uint64_t ids[] = {0, 1, 2, 4, 3, 40, 41, 300, 301, 5};
    const struct variant variant = {1, "{}", 1000, ids, sizeof(ids) / sizeof(ids[0]), 1};
    struct harness *written = write_series(&variant, SLUICE_INDEX_OWN, SLUICE_SMALL_WRITTEN);
    for (unsigned store = 1; store < 60; store += store < 16 ? 1 : 11) {
        stores = (struct stores){.refused = store};
        struct harness *h = write_series(&variant, SLUICE_INDEX_OWN, SLUICE_SMALL_MAPPED);
        assert_same_file(written->summary->files[0], h->summary->files[0]);
        if (stores.count > 0)
            assert_int_equal(stores.count, store); /* that one, and none after it */
        harness_free(h);
    }
    stores = (struct stores){0};
    harness_free(written);
}

/* How many of `rows` images HDF5 can read. */
static unsigned count_readable(const char *path, hsize_t rows, bool *first)
{
    static uint8_t chunk[PAYLOAD_MAX];
    unsigned readable = 0;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_metadata_read_attempts(access, 1); /* nobody will mend it */
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access);
    H5Pclose(access);
    hid_t data = H5Dopen2(file, "/entry/data/data", H5P_DEFAULT);
    assert_true(file >= 0 && data >= 0);
    for (hsize_t row = 0; row < rows; row++) {
        const hsize_t at[3] = {row, 0, 0};
        uint32_t mask;
        const bool read = H5Dread_chunk(data, H5P_DEFAULT, at, &mask, chunk) >= 0;
        readable += read;
        if (row == 0)
            *first = read;
    }
    H5Dclose(data);
    H5Fclose(file);
    return readable;
}

/* A thousand images, each flushed by itself; the last write of the index that can be cut is. */
static unsigned cut_index(uint64_t page, enum sluice_small_writes small, unsigned kill_at,
                          unsigned *unreadable, bool *first)
{
    struct harness *h = begin_pages(page, 1000, small);
    const struct index_facts facts = look_at_index(data_path(h, "series_7", 0));
    uint64_t rows = 0;
    cuts = (struct cuts){
        .watched = true, .from = facts.block, .to = facts.block + facts.bytes, .kill_at = kill_at};
    snprintf(cuts.copy, sizeof(cuts.copy), "%s/copy.h5", h->directory);
    for (uint64_t id = 1; id < 999; id++) {
        harness_image(h, id);
        harness_work(h);
        if (rows == 0 && kill_at != 0 && cuts.cuts >= kill_at)
            rows = id; /* that were visible before */
    }
    cuts.watched = false;
    harness_close(h);
    if (kill_at != 0)
        *unreadable = (unsigned)rows - count_readable(cuts.copy, rows, first);
    harness_free(h);
    return cuts.cuts;
}

/* HDF5's pages lie in four or five pages of memory, so that any kill within the write of one can
 * make all images unreadable. Short ones mostly lie in one; and of those that do not, the others
 * are not touched. */
static void a_kill_seldom_finds_an_index_that_it_can_cut(void **state)
{
    (void)state;
    unsigned unreadable = 0;
    bool first = true;
    const unsigned before = cut_index(0, SLUICE_SMALL_WRITTEN, 500, &unreadable, &first);
    assert_true(before > 700);
    assert_false(first);
    assert_true(unreadable >= 499);
    const unsigned now = cut_index(32, SLUICE_SMALL_WRITTEN, 2, &unreadable, &first);
    assert_in_range(now, 2, 40);
    assert_true(first);
    assert_in_range(unreadable, 1, 32);
    if (!maps_files()) /* the tests' directory is on a file system that is not known */
        skip();
    assert_int_equal(cut_index(0, SLUICE_SMALL_MAPPED, 0, &unreadable, &first), 0);
    /* Pages that are made; nothing points at them yet. */
    assert_in_range(cut_index(32, SLUICE_SMALL_MAPPED, 0, &unreadable, &first), 0, 4);
    printf("writes of an index that can be cut, of 998: %u, with short pages %u\n", before, now);
}

static void a_sum_goes_on_from_its_mark(void **state)
{
    (void)state;
    uint8_t data[500];
    uint32_t seed = 1;
    for (unsigned round = 0; round < 2000; round++) {
        struct sluice_lookup3_mark mark = {0};
        const size_t bytes = (seed = seed * 1664525u + 1013904223u) >> 8 & 255;
        for (size_t i = 0; i < sizeof(data); i++)
            data[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
        for (size_t keep = 0; keep <= bytes; keep += 1 + (seed >> 9) % 40) {
            assert_int_equal(sluice_lookup3_from(&mark, data, bytes, keep),
                             sluice_lookup3(data, bytes));
            assert_true(mark.at <= keep);
            for (size_t i = keep; i < bytes; i++)
                data[i] ^= (uint8_t)round;
        }
    }
    /* The two answers that the algorithm's author gives: initial value 0. */
    assert_int_equal(sluice_lookup3("", 0), 0xdeadbeef);
    assert_int_equal(sluice_lookup3("Four score and seven years ago", 30), 0x17770551);
}

int main(int argc, char **argv)
{
    peek_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_in_order_make_the_same_files),
        cmocka_unit_test(channels_and_user_data_make_the_same_files),
        cmocka_unit_test(images_out_of_order_and_gaps_make_the_same_files),
        cmocka_unit_test(large_files_are_not_left_to_hdf5),
        cmocka_unit_test(a_file_that_is_not_as_expected_is_left_to_hdf5),
        cmocka_unit_test(a_growing_file_shows_the_rows_that_are_written),
        cmocka_unit_test(a_header_that_is_not_as_expected_is_refused),
        cmocka_unit_test(pages_of_an_index_are_as_long_as_wanted),
        cmocka_unit_test(a_map_that_is_refused_is_left_for_writes),
        cmocka_unit_test(a_kill_seldom_finds_an_index_that_it_can_cut),
        cmocka_unit_test(a_sum_goes_on_from_its_mark),
    };
    return cmocka_run_group_tests_name("writer: rows past HDF5", tests, NULL, NULL);
}
