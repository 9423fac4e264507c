/* SPDX-License-Identifier: Apache-2.0
 *
 * A master against the data files: its links and its virtual dataset lead to what is there, map all
 * of it, and give the same pixels; its number of images is that of the rows.
 *
 * DESIGN. Links and mappings are read as text, and what they lead to is opened by itself: a source
 * that is missing or too short gives fill values through HDF5 without a word, and one that is still
 * written cannot be opened through a link at all. Pixels are compared only in closed files: the
 * first image of each mapping, through the virtual dataset and from its source. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readers/verify/internal.h"

#define SPECIFIC     "entry/instrument/detector/detectorSpecific/"
#define LINKS_MAX    1000000u
#define COMPARED_MAX 1000u /* mappings whose pixels are compared */
#define TEXT_BYTES   768

struct master {
    struct sluice_verify *verify;
    const char *path;
    bool nxs, ours;
    bool first; /* NAME_master.h5 itself: says what is true of the set once */
    const struct sluice_follow_channel *channel;
    hid_t file, group; /* entry/data; -1: none */
    uint64_t links, linked_rows;
    bool growing; /* a source is */
    bool broken;  /* a source cannot be counted */
};

/* What a name in another file leads to. */
struct source {
    uint64_t rows, height, width;
    enum sluice_dtype dtype;
    bool growing;
    char wrong[200]; /* "": it is there and readable */
};

static void look_once(const char *path, const char *dataset, struct source *source)
{
    struct sluice_error error = {0};
    hsize_t extent[3] = {0};
    bool swapped;
    memset(source, 0, sizeof(*source));
    enum sluice_h5_flag flag = sluice_follow_h5_flag(path);
    source->growing = flag == SLUICE_H5_WRITING;
    hid_t file = sluice_follow_h5_open(path, source->growing);
    if (file < 0) {
        sluice_follow_h5_error(&error, SLUICE_IO, "cannot be opened");
        snprintf(source->wrong, sizeof(source->wrong), "%.190s",
                 flag == SLUICE_H5_MISSING ? "is not there" : error.message);
        return;
    }
    hid_t images = H5Dopen2(file, dataset, H5P_DEFAULT);
    hid_t space = images >= 0 ? H5Dget_space(images) : H5I_INVALID_HID;
    hid_t type = images >= 0 ? H5Dget_type(images) : H5I_INVALID_HID;
    if (images < 0)
        snprintf(source->wrong, sizeof(source->wrong), "has no %.160s", dataset);
    else if (H5Sget_simple_extent_ndims(space) != 3 ||
             H5Sget_simple_extent_dims(space, extent, NULL) != 3 ||
             !sluice_follow_h5_dtype(type, &source->dtype, &swapped))
        snprintf(source->wrong, sizeof(source->wrong), "has no images in %.150s", dataset);
    source->rows = extent[0];
    source->height = extent[1];
    source->width = extent[2];
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (images >= 0)
        H5Dclose(images);
    H5Fclose(file);
    H5Eclear2(H5E_DEFAULT);
}

/* A file of an unfinished set may just be in the hands of its writer. */
static void look_at(const struct master *master, const char *path, const char *dataset,
                    struct source *source)
{
    for (int i = 0; i < SLUICE_VERIFY_TRIES; i++) {
        look_once(path, dataset, source);
        if (!source->wrong[0] || !master->verify->unfinished)
            return;
        sluice_verify_pause();
    }
}

static void say(struct master *master, enum sluice_finding_kind kind, const char *dataset,
                const char *text)
{
    sluice_verify_say(master->verify, kind, master->path, dataset, NULL, "%s", text);
}

/* Shape and type as the first data file has them. */
static void compare_shape(struct master *master, const char *where, const char *path,
                          const struct source *source)
{
    const struct sluice_follow_channel *channel = master->channel;
    char text[TEXT_BYTES];
    if (source->height == channel->height && source->width == channel->width &&
        source->dtype == channel->dtype)
        return;
    snprintf(text, sizeof(text),
             "it leads to %.300s, whose images are %" PRIu64 " x %" PRIu64 " %s and not %u x %u %s",
             path, source->height, source->width, sluice_dtype_name(source->dtype), channel->height,
             channel->width, sluice_dtype_name(channel->dtype));
    say(master, SLUICE_FINDING_MASTER, where, text);
}

/* The object has to be the channel that this master is of. */
static bool is_own_channel(struct master *master, const char *where, const char *object)
{
    char text[TEXT_BYTES];
    const char *slash = strrchr(object, '/');
    if (!master->ours || strcmp(slash ? slash + 1 : object, master->channel->dataset) == 0)
        return true;
    snprintf(text, sizeof(text), "it leads to %.300s, not to the channel %s", object,
             master->channel->dataset);
    say(master, SLUICE_FINDING_MASTER, where, text);
    return false;
}

/* --- links --------------------------------------------------------------------------------- */

static void check_link(struct master *master, const char *name, const char *file_name,
                       const char *object)
{
    char path[2 * SLUICE_PATH_BYTES], where[SLUICE_NAME_BYTES + 16];
    char text[TEXT_BYTES];
    struct source source;
    const char *slash = strrchr(master->path, '/');
    if (file_name[0] == '/' || !slash)
        snprintf(path, sizeof(path), "%s", file_name);
    else
        snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - master->path), master->path,
                 file_name);
    snprintf(where, sizeof(where), "/entry/data/%s", name);
    look_at(master, path, object, &source);
    master->links++;
    master->linked_rows += source.rows;
    master->growing = master->growing || source.growing;
    if (source.wrong[0]) {
        master->broken = true;
        snprintf(text, sizeof(text), "it leads to %.300s, which %s", path, source.wrong);
        say(master, SLUICE_FINDING_MISSING, where, text);
        return;
    }
    compare_shape(master, where, path, &source);
    if (!is_own_channel(master, where, object) || source.growing)
        return;
    hid_t images = H5Dopen2(master->group, name, H5P_DEFAULT);
    if (images < 0) {
        struct sluice_error error = {0};
        sluice_follow_h5_error(&error, SLUICE_IO, "HDF5 cannot open it, though %.300s is there",
                               path);
        say(master, SLUICE_FINDING_MASTER, where, error.message);
        return;
    }
    H5Dclose(images);
}

static void check_links(struct master *master)
{
    H5G_info_t info;
    if (H5Gget_info(master->group, &info) < 0)
        return;
    for (hsize_t i = 0; i < info.nlinks && i < LINKS_MAX; i++) {
        char name[SLUICE_NAME_BYTES], value[2 * SLUICE_PATH_BYTES];
        H5L_info_t link;
        const char *file_name = NULL, *object = NULL;
        if (H5Lget_name_by_idx(master->group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name,
                               sizeof(name), H5P_DEFAULT) >= 0 &&
            H5Lget_info(master->group, name, &link, H5P_DEFAULT) >= 0 &&
            link.type == H5L_TYPE_EXTERNAL && link.u.val_size <= sizeof(value) &&
            H5Lget_val(master->group, name, value, sizeof(value), H5P_DEFAULT) >= 0 &&
            H5Lunpack_elink_val(value, link.u.val_size, NULL, &file_name, &object) >= 0)
            check_link(master, name, file_name, object);
        if (sluice_verify_stopped(master->verify))
            return;
    }
}

/* --- the virtual dataset ------------------------------------------------------------------- */

static bool read_image(hid_t dataset, uint64_t row, const struct sluice_follow_channel *channel,
                       void *pixels)
{
    hsize_t start[3] = {row, 0, 0}, count[3] = {1, channel->height, channel->width};
    hid_t space = H5Dget_space(dataset), memory = H5Screate_simple(3, count, NULL);
    bool ok = space >= 0 && memory >= 0 &&
              H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
              H5Dread(dataset, sluice_follow_h5_memory_type(channel->dtype), memory, space,
                      H5P_DEFAULT, pixels) >= 0;
    if (memory >= 0)
        H5Sclose(memory);
    if (space >= 0)
        H5Sclose(space);
    H5Eclear2(H5E_DEFAULT);
    return ok;
}

/* The first image of the mapping by both ways. */
static void compare_pixels(struct master *master, hid_t images, const char *where,
                           const struct sluice_mapping *mapping)
{
    const struct sluice_follow_channel *channel = master->channel;
    size_t bytes = (size_t)channel->width * channel->height * sluice_dtype_bytes(channel->dtype);
    uint64_t image = mapping->first;
    if (!sluice_verify_reserve(master->verify, 2 * bytes))
        return;
    uint8_t *direct = master->verify->pixels, *through = direct + bytes;
    bool ok = read_image(images, mapping->first, channel, through);
    hid_t file = sluice_follow_h5_open(mapping->path, false);
    hid_t source = file >= 0 ? H5Dopen2(file, mapping->dataset, H5P_DEFAULT) : H5I_INVALID_HID;
    bool ours = source >= 0 && read_image(source, mapping->source_first, channel, direct);
    if (source >= 0)
        H5Dclose(source);
    if (file >= 0)
        H5Fclose(file);
    if (!ours)
        return; /* said of the data file */
    if (!ok || memcmp(direct, through, bytes) != 0)
        sluice_verify_say(master->verify, SLUICE_FINDING_MASTER, master->path, where, &image,
                          "%s %s", ok ? "its pixels are not those of" : "it cannot be read from",
                          mapping->path);
}

/* A mapping of ours: the whole file, where its image numbers say. */
static void check_our_mapping(struct master *master, const char *where,
                              const struct sluice_mapping *mapping)
{
    struct sluice_verify *verify = master->verify;
    char text[TEXT_BYTES];
    if (!is_own_channel(master, where, mapping->dataset))
        return;
    for (size_t i = 0; i < verify->set.count; i++) {
        const struct sluice_verify_file *file = &verify->files[i];
        const char *path = verify->set.files[i].path;
        if (!file->opened || !file->ours || file->growing || file->abandoned ||
            strcmp(sluice_layout_base_name(path), sluice_layout_base_name(mapping->path)) != 0)
            continue;
        uint64_t rows =
            mapping->unlimited ? mapping->source_rows : mapping->source_end - mapping->source_first;
        if (mapping->first == file->base && mapping->source_first == 0 &&
            (rows == file->rows || mapping->growing) && !mapping->partial)
            return;
        snprintf(text, sizeof(text),
                 "it maps images %" PRIu64 " to %" PRIu64 " of %.200s, which "
                 "holds %" PRIu64 " to %" PRIu64,
                 mapping->first, mapping->first + rows - 1, path, file->base,
                 file->base + file->rows - 1);
        say(master, SLUICE_FINDING_MASTER, where, text);
        return;
    }
}

static void check_mapping(struct master *master, hid_t images, const char *where, uint64_t extent,
                          const struct sluice_mapping *mapping, bool compare)
{
    char text[TEXT_BYTES];
    struct source source;
    master->growing = master->growing || mapping->growing;
    look_at(master, mapping->path, mapping->dataset, &source);
    if (mapping->wrong[0] && !mapping->growing &&
        (source.wrong[0] || !master->verify->unfinished)) {
        master->broken = true;
        snprintf(text, sizeof(text), "its source %.300s %s", mapping->path, mapping->wrong);
        say(master, SLUICE_FINDING_MISSING, where, text);
        return;
    }
    if (!mapping->partial && !source.wrong[0])
        compare_shape(master, where, mapping->path, &source);
    if (!mapping->unlimited && mapping->count > 0 &&
        mapping->first + (mapping->count - 1) * mapping->stride + mapping->block > extent) {
        snprintf(text, sizeof(text), "what it maps of %.300s goes beyond its %" PRIu64 " images",
                 mapping->path, extent);
        say(master, SLUICE_FINDING_MASTER, where, text);
        return;
    }
    if (master->ours)
        check_our_mapping(master, where, mapping);
    if (compare && !mapping->growing && !mapping->partial && !mapping->unlimited)
        compare_pixels(master, images, where, mapping);
}

/* Rows that no mapping covers read as fill values; lost files of ours leave such. */
static void check_cover(struct master *master, const char *where,
                        const struct sluice_virtual *virtual_of, uint64_t extent)
{
    uint64_t holes = 0, first = 0;
    for (uint64_t row = 0; row < extent && row < SLUICE_FOLLOW_ROWS_MAX; row++) {
        if (sluice_virtual_row(virtual_of, row, NULL) != SLUICE_NOT_FOUND)
            continue;
        first = holes++ ? first : row;
        if (sluice_verify_stopped(master->verify))
            return;
    }
    if (holes && !master->ours)
        sluice_verify_say(master->verify, SLUICE_FINDING_GAP, master->path, where, &first,
                          "%" PRIu64 " images are mapped to no file, this one first", holes);
}

/* Returns the extent, 0 where there is no virtual dataset of that name. */
static uint64_t check_virtual(struct master *master, const char *name)
{
    char where[SLUICE_NAME_BYTES];
    hsize_t extent[3] = {0};
    snprintf(where, sizeof(where), "/entry/data/%s", name);
    if (H5Lexists(master->group, name, H5P_DEFAULT) <= 0)
        return 0;
    hid_t images = H5Dopen2(master->group, name, H5P_DEFAULT);
    struct sluice_virtual *virtual_of =
        images >= 0 ? sluice_virtual_open(images, master->path) : NULL;
    if (virtual_of) {
        for (size_t i = 0; i < virtual_of->count; i++)
            master->growing = master->growing || virtual_of->mappings[i].growing;
        hid_t space = H5Dget_space(images);
        if (H5Sget_simple_extent_ndims(space) == 3)
            H5Sget_simple_extent_dims(space, extent, NULL);
        H5Sclose(space);
        bool compare = !master->growing && !master->verify->settings->without_pixels;
        for (size_t i = 0; i < virtual_of->count && !sluice_verify_stopped(master->verify); i++)
            check_mapping(master, images, where, extent[0], &virtual_of->mappings[i],
                          compare && i < COMPARED_MAX);
        if (!master->growing)
            check_cover(master, where, virtual_of, extent[0]);
    }
    sluice_virtual_close(virtual_of);
    if (images >= 0)
        H5Dclose(images);
    H5Eclear2(H5E_DEFAULT);
    return extent[0];
}

/* --- numbers ------------------------------------------------------------------------------- */

/* Rows of all data files, as they were found; 0 where one of them could not be opened. */
static uint64_t rows_found(const struct sluice_verify *verify)
{
    uint64_t end = 0;
    for (size_t i = 0; i < verify->set.count; i++) {
        if (!verify->files[i].opened)
            return 0;
        uint64_t own = verify->files[i].base + verify->files[i].rows;
        end = own > end ? own : end;
    }
    return end;
}

static void check_count(struct master *master, uint64_t mapped)
{
    struct sluice_verify *verify = master->verify;
    int64_t nimages, triggers = 1, announced;
    char text[160];
    uint64_t rows = master->ours ? rows_found(verify) : mapped ? mapped : master->linked_rows;
    if (!rows && verify->set.lone && verify->files[0].opened)
        rows = verify->files[0].rows;
    if (!sluice_follow_h5_dataset_int(master->file, SPECIFIC "nimages", &nimages)) {
        if (master->ours)
            say(master, SLUICE_FINDING_MASTER, "/" SPECIFIC "nimages", "it is not there");
        return;
    }
    sluice_follow_h5_dataset_int(master->file, SPECIFIC "ntrigger", &triggers);
    uint64_t said = (uint64_t)nimages * (uint64_t)triggers;
    if (rows && !master->broken && said != rows) {
        snprintf(text, sizeof(text), "it says %lld images%s, there are %" PRIu64, (long long)said,
                 triggers == 1 ? "" : " (with ntrigger)", rows);
        say(master, SLUICE_FINDING_MASTER, "/" SPECIFIC "nimages", text);
    }
    if (mapped && !master->broken && rows && mapped != rows) {
        snprintf(text, sizeof(text),
                 "the virtual dataset has %" PRIu64 " images, the files %" PRIu64, mapped, rows);
        say(master, SLUICE_FINDING_MASTER, master->nxs ? "/entry/data/data" : "/entry/data/images",
            text);
    }
    if (master->ours && master->first && rows &&
        sluice_follow_h5_dataset_int(master->file, SPECIFIC "number_of_images", &announced) &&
        announced > 0 && (uint64_t)announced > rows) {
        verify->totals->lost += (uint64_t)announced - rows;
        snprintf(text, sizeof(text), "%lld images were announced, the files end after %" PRIu64,
                 (long long)announced, rows);
        say(master, SLUICE_FINDING_LOST, "/" SPECIFIC "number_of_images", text);
    }
}

/* What the state says, against the files. */
static void check_state(struct master *master)
{
    char state[16] = "";
    struct sluice_verify *verify = master->verify;
    if (!master->ours)
        return;
    if (!sluice_follow_h5_attribute_text(master->file, "sluice_state", state, sizeof(state))) {
        say(master, SLUICE_FINDING_STRUCTURE, "/@sluice_state", "it is not there");
        return;
    }
    bool open = verify->growing || verify->abandoned;
    if (strcmp(state, "done") == 0 && open && verify->set.state != SLUICE_SET_WRITING)
        say(master, SLUICE_FINDING_MASTER, "/@sluice_state",
            "it says that the series is done, but a data file was not closed");
    if (strcmp(state, "failed") == 0)
        say(master, SLUICE_FINDING_LOST, "/@sluice_state",
            "the writer failed (disk full, write errors): what it could not write is lost");
    if (strcmp(state, "writing") == 0 && !open && master->first)
        say(master, SLUICE_FINDING_UNFINISHED, "/@sluice_state",
            "the series is unfinished: every data file is closed, but the master says `writing`: "
            "the next file was not begun yet, or the writer died between two files");
}

static void check_parts(struct master *master)
{
    struct sluice_verify *verify = master->verify;
    uint64_t mapped = 0;
    if (sluice_follow_h5_exists(master->file, "entry/instrument/detector/pixel_mask") ||
        sluice_follow_h5_exists(master->file, SPECIFIC "pixel_mask"))
        verify->has_mask = true;
    master->group = H5Gopen2(master->file, "entry/data", H5P_DEFAULT);
    if (master->group >= 0) {
        check_links(master);
        mapped = check_virtual(master, master->nxs || !master->ours ? "data" : "images");
        if (!mapped && !master->ours)
            mapped = check_virtual(master, "images");
        H5Gclose(master->group);
    }
    H5Eclear2(H5E_DEFAULT);
    check_state(master);
    if (!master->growing && !verify->unfinished)
        check_count(master, mapped);
    if (master->ours)
        sluice_verify_master_rules(verify, master->file, master->path, master->nxs,
                                   master->channel);
}

void sluice_verify_master(struct sluice_verify *verify, const char *path, bool nxs,
                          uint32_t channel)
{
    struct master master = {.verify = verify,
                            .path = path,
                            .nxs = nxs,
                            .ours = verify->ours && !verify->set.lone,
                            .first = !nxs && channel == verify->first_channel,
                            .channel = &verify->channels[channel],
                            .group = -1};
    struct sluice_error error = {0};
    bool live = sluice_follow_h5_flag(path) == SLUICE_H5_WRITING;
    master.file = sluice_follow_h5_open(path, live);
    if (master.file < 0) {
        if (verify->set.lone)
            return; /* said when it was opened as a data file */
        sluice_follow_h5_error(&error, SLUICE_IO, "cannot open it");
        sluice_verify_say(verify, SLUICE_FINDING_OPEN, path, NULL, NULL, "%s", error.message);
        return;
    }
    if (!verify->set.lone)
        verify->totals->masters++;
    check_parts(&master);
    H5Fclose(master.file);
    H5Eclear2(H5E_DEFAULT);
}
