/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the files of a set.
 *
 * DESIGN. Any path of the set leads to NAME: a data file and a master by their names; a channel's
 * master (NAME_<channel>_master.h5, which looks like a set of its own) by what its links name. The
 * links therefore come first and the name after them. Links are read as text (H5Lget_val), sources
 * of virtual datasets from the creation properties. */
#include "readers/follow/set.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "readers/follow/h5.h"

#define FILES_MAX 1000000u

static bool ends_with(const char *text, const char *end, size_t *stem_bytes)
{
    size_t text_bytes = strlen(text), end_bytes = strlen(end);
    if (text_bytes <= end_bytes || strcmp(text + text_bytes - end_bytes, end) != 0)
        return false;
    *stem_bytes = text_bytes - end_bytes;
    return true;
}

/* NAME_data_<digits>.h5 */
static bool parse_data_name(const char *base, size_t *name_bytes, uint64_t *number)
{
    size_t stem;
    if (!ends_with(base, ".h5", &stem))
        return false;
    size_t digits = stem;
    while (digits > 0 && isdigit((unsigned char)base[digits - 1]))
        digits--;
    static const char middle[] = "_data_";
    size_t middle_bytes = sizeof(middle) - 1;
    if (digits == stem || stem - digits > 18 || digits <= middle_bytes ||
        memcmp(base + digits - middle_bytes, middle, middle_bytes) != 0)
        return false;
    *name_bytes = digits - middle_bytes;
    *number = strtoull(base + digits, NULL, 10);
    return true;
}

static void split_path(const char *path, char *directory, char *base, size_t bytes)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(directory, bytes, ".");
    else if (slash == path)
        snprintf(directory, bytes, "/");
    else
        snprintf(directory, bytes, "%.*s", (int)(slash - path), path);
    snprintf(base, bytes, "%s", slash ? slash + 1 : path);
}

/* "<directory>/<name><end>"; false when it is too long. */
static bool make_path(char *path, size_t bytes, const char *directory, const char *name,
                      const char *end)
{
    int n = snprintf(path, bytes, "%s/%s%s", directory, name, end);
    return n > 0 && (size_t)n < bytes;
}

static void add_file(struct sluice_set *set, const char *path, uint64_t number)
{
    size_t at = set->count;
    while (at > 0 && set->files[at - 1].number >= number)
        at--;
    if ((at < set->count && set->files[at].number == number) || set->count == FILES_MAX)
        return;
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 16;
        struct sluice_set_file *files = realloc(set->files, capacity * sizeof(*files));
        if (!files)
            return; /* seen again at the next look */
        set->files = files;
        set->capacity = capacity;
    }
    char *copy = strdup(path);
    if (!copy)
        return;
    memmove(&set->files[at + 1], &set->files[at], (set->count - at) * sizeof(*set->files));
    set->files[at] = (struct sluice_set_file){.path = copy, .number = number};
    set->count++;
}

void sluice_set_scan(struct sluice_set *set)
{
    if (set->lone)
        return;
    DIR *directory = opendir(set->directory);
    if (!directory)
        return;
    size_t name_bytes = strlen(set->name);
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        size_t found_bytes;
        uint64_t number;
        char path[SLUICE_PATH_BYTES];
        if (parse_data_name(entry->d_name, &found_bytes, &number) && found_bytes == name_bytes &&
            memcmp(entry->d_name, set->name, name_bytes) == 0 &&
            make_path(path, sizeof(path), set->directory, entry->d_name, ""))
            add_file(set, path, number);
    }
    closedir(directory);
}

/* What a master leads to; collected first, used when all is read. */
struct sources {
    struct sluice_set *set;
    const char *directory; /* of the master: relative names start there */
    bool take_name;        /* NAME comes from the first source */
    uint64_t count;
};

static void add_source(struct sources *sources, const char *file_name, const char *object)
{
    char path[SLUICE_PATH_BYTES], directory[SLUICE_PATH_BYTES], base[SLUICE_PATH_BYTES];
    struct sluice_set *set = sources->set;
    if (file_name[0] == '/') {
        if ((size_t)snprintf(path, sizeof(path), "%s", file_name) >= sizeof(path))
            return;
    } else if (!make_path(path, sizeof(path), sources->directory, file_name, "")) {
        return;
    }
    split_path(path, directory, base, sizeof(base));
    size_t name_bytes;
    uint64_t number = 0;
    bool named = parse_data_name(base, &name_bytes, &number);
    if (sources->count == 0) {
        if (named && sources->take_name)
            snprintf(set->name, sizeof(set->name), "%.*s", (int)name_bytes, base);
        const char *slash = strrchr(object, '/');
        snprintf(set->linked_dataset, sizeof(set->linked_dataset), "%s",
                 slash ? slash + 1 : object);
    }
    sources->count++;
    if (access(path, F_OK) == 0)
        add_file(set, path, named ? number : sources->count);
}

/* One walk: to ask for the names one by one costs a sorted list of all each time. */
static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *link, void *data)
{
    struct sources *sources = data;
    char value[2 * SLUICE_PATH_BYTES];
    const char *file_name = NULL, *object = NULL;
    if (strncmp(name, "data", 4) == 0 && link->type == H5L_TYPE_EXTERNAL &&
        link->u.val_size <= sizeof(value) &&
        H5Lget_val(group, name, value, sizeof(value), H5P_DEFAULT) >= 0 &&
        H5Lunpack_elink_val(value, link->u.val_size, NULL, &file_name, &object) >= 0)
        add_source(sources, file_name, object);
    return sources->count < FILES_MAX ? 0 : 1;
}

/* True when the source is a data file by its name, so that its rows are images in order. */
static bool read_source(hid_t created, size_t index, char *file_name, char *object, size_t bytes)
{
    size_t name_bytes;
    uint64_t number;
    return H5Pget_virtual_filename(created, index, file_name, bytes) > 0 &&
           H5Pget_virtual_dsetname(created, index, object, bytes) > 0 &&
           strlen(file_name) < bytes - 1 &&
           parse_data_name(sluice_layout_base_name(file_name), &name_bytes, &number);
}

/* The sources of the virtual dataset, which is neither read nor asked for its extent. Other
 * writers' files are not taken apart: the file has images. */
static void read_virtual(hid_t group, const char *name, struct sources *sources)
{
    hid_t dataset = H5Lexists(group, name, H5P_DEFAULT) > 0 ? H5Dopen2(group, name, H5P_DEFAULT)
                                                            : H5I_INVALID_HID;
    if (dataset < 0)
        return;
    char file_name[SLUICE_PATH_BYTES], object[SLUICE_PATH_BYTES];
    hid_t created = H5Dget_create_plist(dataset);
    size_t count = 0;
    if (H5Pget_layout(created) == H5D_VIRTUAL)
        H5Pget_virtual_count(created, &count);
    bool ours = count > 0 && count <= FILES_MAX;
    for (size_t i = 0; ours && i < count; i++)
        ours = read_source(created, i, file_name, object, sizeof(file_name));
    for (size_t i = 0; ours && i < count; i++) {
        if (read_source(created, i, file_name, object, sizeof(file_name)))
            add_source(sources, file_name, object);
    }
    sources->set->has_images = sources->set->has_images || !ours;
    H5Pclose(created);
    H5Dclose(dataset);
}

/* Reads one master. False when it cannot be opened now. */
static bool read_master(struct sluice_set *set, const char *path, bool take_name,
                        uint64_t *source_count)
{
    hid_t file = sluice_follow_h5_open(path, false);
    if (file < 0)
        return false;
    char directory[SLUICE_PATH_BYTES], base[SLUICE_PATH_BYTES], state[16];
    split_path(path, directory, base, sizeof(base));
    if (sluice_follow_h5_attribute_text(file, "sluice_state", state, sizeof(state))) {
        if (strcmp(state, "done") == 0)
            set->state = SLUICE_SET_DONE;
        else
            set->state = strcmp(state, "failed") == 0 ? SLUICE_SET_FAILED : SLUICE_SET_WRITING;
    }
    struct sources sources = {.set = set, .directory = directory, .take_name = take_name};
    hid_t group = -1;
    if (sluice_follow_h5_exists(file, "entry") && sluice_follow_h5_exists(file, "entry/data"))
        group = H5Gopen2(file, "entry/data", H5P_DEFAULT);
    if (group >= 0) {
        H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, &sources);
        if (sources.count == 0)
            read_virtual(group, "images", &sources);
        if (sources.count == 0)
            read_virtual(group, "data", &sources);
        H5Gclose(group);
    }
    H5Fclose(file);
    H5Eclear2(H5E_DEFAULT);
    *source_count = sources.count;
    return true;
}

void sluice_set_read_master(struct sluice_set *set)
{
    if (set->lone)
        return;
    struct stat now;
    char path[SLUICE_PATH_BYTES];
    static const char *const ends[] = {"_master.h5", ".nxs"};
    for (int i = 0; i < 2; i++) {
        if (!make_path(path, sizeof(path), set->directory, set->name, ends[i]) ||
            stat(path, &now) != 0)
            continue;
        if (strcmp(path, set->master) == 0 && now.st_ino == set->master_stamp.st_ino &&
            now.st_size == set->master_stamp.st_size &&
            now.st_mtim.tv_sec == set->master_stamp.st_mtim.tv_sec &&
            now.st_mtim.tv_nsec == set->master_stamp.st_mtim.tv_nsec)
            return;
        uint64_t sources;
        if (read_master(set, path, false, &sources)) {
            snprintf(set->master, sizeof(set->master), "%s", path);
            set->master_stamp = now;
        }
        return;
    }
}

/* A path that is there: a master tells NAME through its sources; anything else stays as it is. */
static enum sluice_status resolve_existing(struct sluice_set *set, const char *path,
                                           bool named_like_a_master, struct sluice_error *error)
{
    uint64_t sources = 0;
    enum sluice_h5_flag flag = sluice_follow_h5_flag(path);
    if (flag == SLUICE_H5_CREATED && H5Fis_hdf5(path) <= 0)
        return sluice_error_set(error, SLUICE_NOT_FOUND, "%s is not an HDF5 file, or not one yet",
                                path);
    if (flag == SLUICE_H5_CLOSED && !read_master(set, path, true, &sources))
        return sluice_follow_h5_error(error, SLUICE_NOT_FOUND, "cannot open %s", path);
    if (sources == 0 && (!named_like_a_master || set->has_images)) {
        set->lone = true;
        add_file(set, path, 1);
    }
    return SLUICE_OK;
}

static enum sluice_status resolve_as_given(struct sluice_set *set, const char *path,
                                           struct sluice_error *error)
{
    char base[SLUICE_PATH_BYTES];
    if (strlen(path) >= SLUICE_PATH_BYTES - SLUICE_NAME_BYTES - 16)
        return sluice_error_set(error, SLUICE_LIMIT, "the path is too long: %s", path);
    split_path(path, set->directory, base, sizeof(base));
    struct stat there;
    bool exists = stat(path, &there) == 0;
    if (exists && S_ISDIR(there.st_mode))
        return sluice_error_set(error, SLUICE_USAGE,
                                "%s is a directory: give a file of the set, such as its "
                                "NAME_master.h5",
                                path);
    size_t name_bytes;
    uint64_t number;
    enum sluice_status status = SLUICE_OK;
    struct sluice_error own = {0};
    if (parse_data_name(base, &name_bytes, &number)) {
        snprintf(set->name, sizeof(set->name), "%.*s", (int)name_bytes, base);
    } else {
        bool master =
            ends_with(base, "_master.h5", &name_bytes) || ends_with(base, ".nxs", &name_bytes);
        if (!master)
            name_bytes = strlen(base);
        snprintf(set->name, sizeof(set->name), "%.*s", (int)name_bytes, base);
        if (exists)
            status = resolve_existing(set, path, master, error ? error : &own);
        if (status != SLUICE_OK && !master)
            return status;
    }
    sluice_set_scan(set);
    if (status != SLUICE_OK) { /* a damaged master: its data files are found by name */
        if (set->count == 0)
            return status;
        sluice_error_clear(error);
    }
    sluice_set_read_master(set);
    if (set->count == 0 && exists)
        return sluice_error_set(error, SLUICE_NOT_FOUND,
                                "%s leads to no images that can be opened, and %s_data_000001.h5 "
                                "is not in %s either",
                                path, set->name, set->directory);
    if (set->count == 0)
        return sluice_error_set(error, SLUICE_NOT_FOUND,
                                "no data file of %s in %s (looked for %s_data_000001.h5)", path,
                                set->directory, set->name);
    return SLUICE_OK;
}

enum sluice_status sluice_set_resolve(struct sluice_set *set, const char *path,
                                      struct sluice_error *error)
{
    struct sluice_error own = {0};
    struct stat link;
    char *target = NULL;
    enum sluice_status status = resolve_as_given(set, path, &own);
    if (status == SLUICE_NOT_FOUND && lstat(path, &link) == 0 && S_ISLNK(link.st_mode) &&
        (target = realpath(path, NULL))) { /* the set lies where the link leads */
        sluice_set_close(set);
        sluice_error_clear(&own);
        status = resolve_as_given(set, target, &own);
        free(target);
    }
    if (status != SLUICE_OK && error && error->status == SLUICE_OK)
        *error = own;
    return status;
}

void sluice_set_close(struct sluice_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->files[i].path);
    free(set->files);
    memset(set, 0, sizeof(*set));
}

bool sluice_set_channel_master(const struct sluice_set *set, const char *dataset,
                               uint32_t channel_count, char *path, size_t bytes)
{
    if (set->lone) { /* other writers keep all in one */
        snprintf(path, bytes, "%s", set->files[0].path);
        return true;
    }
    static const char *const ends[] = {"_master.h5", ".nxs"};
    char end[SLUICE_NAME_BYTES + 16];
    for (int i = 0; i < 2; i++) {
        snprintf(end, sizeof(end), "_%s%s", dataset, ends[i]);
        if (make_path(path, bytes, set->directory, set->name, end) && access(path, R_OK) == 0)
            return true;
    }
    /* The first channel's has no channel in its name; its links say whose it is. */
    if (channel_count > 1 && strcmp(set->linked_dataset, dataset) != 0)
        return false;
    snprintf(path, bytes, "%s", set->master);
    return path[0] != 0;
}

/* Of the master, and of the temporary files beside it that become masters: whose name and number,
 * how large, and when written. */
static uint64_t stamp_of(const struct stat *status)
{
    return (uint64_t)status->st_ino * 31 + (uint64_t)status->st_size * 37 +
           (uint64_t)status->st_mtim.tv_sec * 1000000007 + (uint64_t)status->st_mtim.tv_nsec;
}

uint64_t sluice_set_master_activity(const struct sluice_set *set)
{
    uint64_t sum = stamp_of(&set->master_stamp);
    const size_t name_bytes = strlen(set->name);
    DIR *directory = opendir(set->directory);
    const struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        char path[SLUICE_PATH_BYTES];
        struct stat status;
        const char *rest = entry->d_name + 1 + name_bytes;
        if (entry->d_name[0] == '.' && strncmp(entry->d_name + 1, set->name, name_bytes) == 0 &&
            (*rest == '_' || *rest == '.') && strstr(rest, SLUICE_LAYOUT_TEMPORARY) &&
            make_path(path, sizeof(path), set->directory, entry->d_name, "") &&
            stat(path, &status) == 0)
            sum += stamp_of(&status);
    }
    if (directory)
        closedir(directory);
    return sum;
}
