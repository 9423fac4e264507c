/* SPDX-License-Identifier: Apache-2.0
 *
 * One master is one pass of the same tree into a temporary file beside it, which then takes its
 * name: whatever fails before the rename leaves the old one as it was.
 *
 *   job:  values, geometry, images (HDF5) ─> arrays (bulk.h, a piece a step) ─> mode, sync, rename
 *         NAME_master.h5, then the same for NAME.nxs
 *
 * HDF5 makes the objects and only the room for masks, flatfields and axes; they are written past it
 * when it has closed the file. So no step lasts longer than a piece, or than a third of the few
 * hundred small objects takes.
 *
 * The temporary file is created exclusively; its name holds our process id, so that one that lies
 * there already is the rest of a dead process of the same id, and is removed. */
#include "writer/master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "writer/master/bulk.h"
#include "writer/master/parts.h"

/* Big arrays begin at whole blocks, so that they can go past the page cache. */
static enum sluice_status create_exclusively(const char *path, bool direct, hid_t *file,
                                             struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0 || H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
        (direct &&
         H5Pset_alignment(access, SLUICE_MASTER_BULK_LEAST, SLUICE_MASTER_BLOCK_BYTES) < 0) ||
        (*file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, access)) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot create the file");
    sluice_h5_close(&access);
    return status;
}

struct sluice_master_job {
    struct sluice_master_input input;
    struct sluice_master_facts facts;
    bool nxs;                       /* which of the two files */
    struct sluice_master_bulk bulk; /* of the temporary file, open when its objects are there */
    struct sluice_tree tree;        /* its file is open while objects are made; then, its bulks */
    unsigned made;                  /* parts of the objects */
    char path[SLUICE_PATH_BYTES], temporary[SLUICE_PATH_BYTES + 32]; /* empty: nothing there */
};

static enum sluice_status choose_names(struct sluice_master_job *job, struct sluice_error *error)
{
    const struct sluice_master_input *input = &job->input;
    if (sluice_layout_master_path(input->directory, input->name, input->channel_index,
                                  input->dataset, job->nxs, job->path,
                                  sizeof job->path) != SLUICE_OK)
        return sluice_error_set(error, SLUICE_LIMIT, "the path of the master of %s is too long",
                                input->name);
    const char *base = sluice_layout_base_name(job->path);
    snprintf(job->temporary, sizeof job->temporary, "%.*s.%s" SLUICE_LAYOUT_TEMPORARY "%ld",
             (int)(base - job->path), job->path, base, (long)getpid());
    return SLUICE_OK;
}

/* Once, whatever it says: most of the file is written here, and a second close would crash. */
static void close_objects(struct sluice_master_job *job)
{
    if (job->tree.file >= 0 && H5Fclose(job->tree.file) < 0)
        sluice_tree_check(&job->tree,
                          sluice_h5_error(job->tree.error, SLUICE_IO, "cannot write the file"));
    job->tree.file = H5I_INVALID_HID;
}

static enum sluice_status begin_objects(struct sluice_master_job *job, struct sluice_error *error)
{
    enum sluice_status status = choose_names(job, error);
    if (status != SLUICE_OK)
        return status;
    if (unlink(job->temporary) == 0)
        sluice_log_warning("master", "removed what an earlier process left: path=%s",
                           job->temporary);
    job->tree = (struct sluice_tree){.file = H5I_INVALID_HID};
    return create_exclusively(job->temporary, job->input.direct, &job->tree.file, error);
}

/* A part of the tree; with the last one there is room for what the bulks say. */
static enum sluice_status make_objects(struct sluice_master_job *job, struct sluice_error *error)
{
    struct sluice_tree *tree = &job->tree;
    enum sluice_status status = job->made == 0 ? begin_objects(job, error) : SLUICE_OK;
    if (status != SLUICE_OK)
        return status;
    tree->error = error;
    if (job->made == 0)
        sluice_master_put_metadata(tree, &job->input, &job->facts,
                                   sluice_layout_base_name(job->path));
    else if (job->made == 1)
        sluice_master_put_geometry(tree, &job->input, &job->facts);
    else
        sluice_master_put_images(tree, &job->input, job->path, job->nxs);
    if (++job->made < 3 && tree->status == SLUICE_OK)
        return SLUICE_OK;
    close_objects(job);
    job->made = 0;
    return tree->status == SLUICE_OK
               ? sluice_master_bulk_open(&job->bulk, job->temporary, job->input.direct, error)
               : tree->status;
}

/* A piece of the last array that is not written yet. */
static enum sluice_status write_piece(struct sluice_master_job *job, struct sluice_error *error)
{
    struct sluice_tree_bulk *bulk = &job->tree.bulks[job->tree.bulk_count - 1];
    const enum sluice_status status = sluice_master_bulk_write(&job->bulk, bulk, error);
    if (bulk->bytes == 0)
        job->tree.bulk_count--;
    return status;
}

/* A wrong group costs a warning, not the file. */
static void give_to_group(int fd, const char *name, const char *path)
{
    gid_t id;
    if (name == NULL || name[0] == '\0')
        return;
    if (!sluice_find_group(name, &id))
        sluice_log_warning("master", "no such group (writer.group): group=%s path=%s", name, path);
    else if (fchown(fd, (uid_t)-1, id) != 0)
        sluice_log_warning("master", "cannot give the file to the group: group=%s path=%s: %s",
                           name, path, strerror(errno));
}

/* Group, mode and, where wanted, on the disk. */
static enum sluice_status settle(const struct sluice_master_job *job, struct sluice_error *error)
{
    const struct sluice_master_input *input = &job->input;
    uint32_t mode =
        input->state == SLUICE_MASTER_WRITING ? input->mode : input->mode & ~UINT32_C(0222);
    give_to_group(job->bulk.fd, input->group, job->temporary);
    if (fchmod(job->bulk.fd, (mode_t)mode) != 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot set the mode %04o", mode);
    if (input->sync && fdatasync(job->bulk.fd) != 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "fdatasync failed");
    return SLUICE_OK;
}

/* The rename itself is on the disk when its directory is. */
static enum sluice_status sync_entry(const char *path, struct sluice_error *error)
{
    const int code = sluice_sync_entry(path);
    return code == 0 ? SLUICE_OK
                     : sluice_error_errno(error, SLUICE_IO, code, "fsync of its directory failed");
}

/* Whoever lets go of the old master last gives its blocks back. A rename would do that with the
 * directory locked (4 ms were measured on a disk that is told of free blocks), where readers wait
 * that list it; so somebody else does. */
static enum sluice_status replace(const char *temporary, const char *path,
                                  struct sluice_error *error)
{
    int replaced = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int code = rename(temporary, path) != 0 ? errno : 0;
    if (replaced >= 0)
        sluice_close_aside(replaced);
    return code == 0 ? SLUICE_OK
                     : sluice_error_errno(error, SLUICE_IO, code, "cannot rename %s", temporary);
}

/* The first time the name must be free: chosen long ago, it may have been taken meanwhile. A link
 * is what fails then; where the file system has none, looking must do. */
static enum sluice_status put_in_place(const char *temporary, const char *path, bool ours,
                                       struct sluice_error *error)
{
    if (!ours && link(temporary, path) == 0) {
        unlink(temporary);
        return SLUICE_OK;
    }
    if (!ours && (errno == EEXIST || access(path, F_OK) == 0))
        return sluice_error_set(error, SLUICE_EXISTS,
                                "the file is there and not of this series: it is left alone");
    return replace(temporary, path, error);
}

/* The temporary file takes its name. */
static enum sluice_status finish_file(struct sluice_master_job *job, struct sluice_error *error)
{
    const struct sluice_master_input *input = &job->input;
    const uint8_t bit = job->nxs ? SLUICE_MASTER_NXMX_OURS : SLUICE_MASTER_LINKS_OURS;
    const bool ours = input->ours == NULL || (*input->ours & bit) != 0;
    enum sluice_status status = settle(job, error);
    if (status == SLUICE_OK)
        status = put_in_place(job->temporary, job->path, ours, error);
    if (status != SLUICE_OK)
        return status;
    job->temporary[0] = '\0';
    sluice_master_bulk_close(&job->bulk);
    if (input->ours != NULL)
        *input->ours |= bit;
    return input->sync ? sync_entry(job->path, error) : SLUICE_OK;
}

enum sluice_status sluice_master_begin(const struct sluice_master_input *input,
                                       struct sluice_master_job **job, struct sluice_error *error)
{
    *job = NULL;
    enum sluice_status status = sluice_h5_init(error);
    if (status != SLUICE_OK)
        return status;
    struct sluice_master_job *made = calloc(1, sizeof *made);
    if (made == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the master of %s",
                                input->name);
    made->input = *input;
    made->bulk.fd = made->bulk.direct_fd = -1;
    made->tree.file = H5I_INVALID_HID;
    sluice_master_facts(&made->input, &made->facts);
    *job = made;
    return SLUICE_OK;
}

enum sluice_status sluice_master_step(struct sluice_master_job *job, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    bool finished = false;
    if (job->bulk.fd < 0) {
        status = make_objects(job, error);
    } else if (job->tree.bulk_count > 0) {
        status = write_piece(job, error);
    } else {
        status = finish_file(job, error);
        finished = job->nxs;
        job->nxs = true;
    }
    if (status != SLUICE_OK)
        sluice_error_prefix(error, "%s", job->path);
    return status != SLUICE_OK || finished ? status : SLUICE_AGAIN;
}

void sluice_master_end(struct sluice_master_job *job)
{
    if (job == NULL)
        return;
    struct sluice_error error = {0}; /* it is removed, whatever the close says */
    job->tree.error = &error;
    close_objects(job);
    sluice_master_bulk_free(&job->bulk);
    if (job->temporary[0] != '\0')
        unlink(job->temporary);
    free(job);
}

enum sluice_status sluice_master_write(const struct sluice_master_input *input,
                                       struct sluice_error *error)
{
    struct sluice_master_job *job;
    enum sluice_status status = sluice_master_begin(input, &job, error);
    if (status == SLUICE_OK) {
        do
            status = sluice_master_step(job, error);
        while (status == SLUICE_AGAIN);
    }
    sluice_master_end(job);
    return status;
}
