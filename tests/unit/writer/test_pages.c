/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of images with short pages: their length and place, what is in them beforehand, and
 * what a kill can damage that ends a write between two pages of memory. */
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "writer/append/fixed_array.h"
#include "writer/append/lookup3.h"
#include "writer/append/object_header.h"
#include "writer/append/pages.h"

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

/* Of the images' index, as they stand in the file. */
struct index_facts {
    unsigned layout_bits, bits;
    uint64_t count, block, bytes;
    size_t entry_bytes;
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
                                .entry_bytes = index[6],
                                .count = sluice_le_read(index + 8, 8),
                                .block = sluice_le_read(index + 16, 8)};
    const uint64_t full = UINT64_C(1) << facts.bits;
    const uint64_t pages = facts.count > full ? (facts.count + full - 1) >> facts.bits : 0;
    facts.bytes = 18 + (pages + 7) / 8 + facts.count * index[6] + pages * 4;
    return facts;
}

static struct harness *begin_pages(uint64_t page, uint64_t per_file)
{
    struct harness *h = harness_new();
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

/* As a program does that goes by no bit: each page has its sum, and those behind image 0 say that
 * there is nothing. */
static void assert_every_page_is_whole(const char *path)
{
    const struct index_facts facts = look_at_index(path);
    const uint64_t per_page = UINT64_C(1) << facts.bits;
    const uint64_t pages = (facts.count + per_page - 1) >> facts.bits;
    uint8_t *block = malloc(facts.bytes);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && block != NULL);
    assert_int_equal(pread(fd, block, facts.bytes, (off_t)facts.block), facts.bytes);
    close(fd);
    const uint8_t *page = block + sluice_fixed_array_head(facts.count, facts.bits);
    for (uint64_t number = 0; number < pages; number++) {
        const uint64_t left = facts.count - number * per_page;
        const size_t bytes = (left < per_page ? left : per_page) * facts.entry_bytes;
        assert_int_equal(sluice_lookup3(page, bytes), sluice_le_read(page + bytes, 4));
        for (size_t at = number == 0 ? facts.entry_bytes : 0; at < bytes; at += facts.entry_bytes)
            assert_int_equal(sluice_le_read(page + at, 8), UINT64_MAX);
        page += bytes + 4;
    }
    free(block);
}

static void assert_bits(uint64_t page, uint64_t per_file, unsigned least, unsigned most)
{
    struct harness *h = begin_pages(page, per_file);
    const struct index_facts live = look_at_index(data_path(h, "series_7", 0));
    assert_in_range(live.bits, least, most);
    harness_close(h);
    const struct index_facts closed = look_at_index(data_path(h, "series_7", 0));
    assert_int_equal(closed.bits, live.bits);
    assert_int_equal(closed.layout_bits, live.bits); /* HDF5 read it anew: it wrote it again */
    assert_int_equal(closed.count, per_file);
    if (per_file > UINT64_C(1) << closed.bits && per_file <= 1024)
        assert_every_page_is_whole(data_path(h, "series_7", 0));
    harness_free(h);
}

static void pages_of_an_index_are_as_long_as_wanted(void **state)
{
    (void)state;
    assert_bits(0, 1000, 10, 10);
    assert_bits(0, 3000, 10, 10);
    assert_bits(1024, 3000, 3, 9);
    assert_bits(32, 32, 10, 10); /* one page */
    assert_bits(256, 32, 10, 10);
    assert_bits(32, 33, 3, 5);
    assert_bits(33, 1000, 3, 6);
    assert_bits(256, 1000, 3, 8);
    assert_bits(256, 1024, 3, 8);
    assert_bits(1, 1000, 1, 1);
    assert_bits(1, 100000, 5, 5); /* 4096 pages at most */
}

/* Counted another way: entry by entry. */
static uint64_t count_cuts(const struct sluice_pages_place *place, uint64_t count, size_t entry)
{
    const uint64_t per_page = UINT64_C(1) << place->bits;
    const uint64_t first = place->block + sluice_fixed_array_head(count, place->bits);
    uint64_t cut = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t number = i / per_page, left = count - number * per_page;
        const uint64_t page = first + number * (per_page * entry + 4);
        const uint64_t end = page + (left < per_page ? left : per_page) * entry + 4;
        if (i % per_page == 0) /* no bit yet, or no row */
            cut += place->block / MEMORY_PAGE != (first - 1) / MEMORY_PAGE;
        else
            cut += (page + i % per_page * entry) / MEMORY_PAGE != (end - 1) / MEMORY_PAGE;
    }
    return cut;
}

static void an_index_lies_where_few_of_its_writes_can_be_cut(void **state)
{
    (void)state;
    static const struct {
        uint64_t count;
        size_t entry; /* 15: images below 64 KiB, 16: below 16 MiB, 17: above */
        unsigned bits_most;
        uint64_t most;
    } cases[] = {{1000, 16, 3, 0},    {1000, 16, 8, 0},      {1000, 15, 5, 12},
                 {1000, 16, 5, 12},   {1000, 17, 5, 18},     {100, 16, 5, 0},
                 {500, 16, 5, 0},     {1024, 16, 5, 0},      {2600, 17, 5, 30},
                 {20000, 16, 5, 600}, {131072, 16, 5, 9000}, {1000000, 16, 5, 500000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (uint64_t room = 8192; room < 8192 + 2 * MEMORY_PAGE; room += 1237) {
            const struct sluice_pages_place place =
                sluice_pages_place(cases[i].count, cases[i].entry, cases[i].bits_most, room);
            const uint64_t cut = count_cuts(&place, cases[i].count, cases[i].entry);
            const uint64_t said = place.cuts % cases[i].count;
            assert_true(place.block >= room && place.bits > 0);
            assert_true(place.bits <= cases[i].bits_most || cases[i].count > 131072);
            assert_in_range(cut, 0, cases[i].most);
            assert_in_range(said, cut, cut + (cases[i].count >> place.bits));
        }
    /* No last page that is full, where that can be helped. */
    for (size_t entry = 15; entry <= 17; entry++)
        assert_true(sluice_pages_place(1000, entry, 5, 0).bits > 3);
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
static unsigned cut_index(uint64_t page, unsigned kill_at, unsigned *unreadable, bool *first)
{
    struct harness *h = begin_pages(page, 1000);
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
    const unsigned before = cut_index(0, 500, &unreadable, &first);
    assert_true(before > 700);
    assert_false(first);
    assert_true(unreadable >= 499);
    const unsigned now = cut_index(32, 2, &unreadable, &first);
    assert_in_range(now, 2, 40);
    assert_true(first);
    assert_in_range(unreadable, 1, 32);
    printf("writes of an index that can be cut, of 998: %u, with short pages %u\n", before, now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_an_index_are_as_long_as_wanted),
        cmocka_unit_test(an_index_lies_where_few_of_its_writes_can_be_cut),
        cmocka_unit_test(a_kill_seldom_finds_an_index_that_it_can_cut),
    };
    return cmocka_run_group_tests_name("writer: pages of an index", tests, NULL, NULL);
}
