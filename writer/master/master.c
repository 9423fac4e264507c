/* SPDX-License-Identifier: Apache-2.0
 *
 * One master is one pass of the same tree into a temporary file beside it, which then takes its
 * name: whatever fails before the rename leaves the old one as it was.
 *
 * The temporary file is created exclusively; its name holds our process id, so that one that lies
 * there already is the rest of a dead process of the same id, and is removed. */
#include "writer/master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "writer/master/parts.h"

static enum sluice_status create_exclusively(const char *path, hid_t *file,
                                             struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0 || H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
        (*file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, access)) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot create the file");
    sluice_h5_close(&access);
    return status;
}

static enum sluice_status fill_file(const char *temporary, const char *path,
                                    const struct sluice_master_input *input, bool nxs,
                                    const struct sluice_master_facts *facts,
                                    struct sluice_error *error)
{
    if (unlink(temporary) == 0)
        sluice_log_warning("master", "removed what an earlier process left: path=%s", temporary);
    struct sluice_tree tree = {.file = H5I_INVALID_HID, .error = error};
    tree.status = create_exclusively(temporary, &tree.file, error);
    if (tree.status != SLUICE_OK)
        return tree.status;
    sluice_master_put_metadata(&tree, input, facts, sluice_layout_base_name(path));
    sluice_master_put_geometry(&tree, input, facts);
    sluice_master_put_images(&tree, input, path, nxs);
    /* Once, whatever it says: most of the file is written here, and a second close would crash. */
    if (H5Fclose(tree.file) < 0)
        sluice_tree_check(&tree, sluice_h5_error(error, SLUICE_IO, "cannot write the file"));
    return tree.status;
}

/* Numbers are accepted too. */
static bool group_id(const char *name, gid_t *id)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (end != name && *end == '\0') {
        *id = (gid_t)number;
        return true;
    }
    char buffer[4096];
    struct group entry, *found = NULL;
    if (getgrnam_r(name, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return false;
    *id = found->gr_gid;
    return true;
}

/* A wrong group costs a warning, not the file. */
static void give_to_group(int fd, const char *name, const char *path)
{
    gid_t id;
    if (name == NULL || name[0] == '\0')
        return;
    if (!group_id(name, &id))
        sluice_log_warning("master", "no such group (writer.group): group=%s path=%s", name, path);
    else if (fchown(fd, (uid_t)-1, id) != 0)
        sluice_log_warning("master", "cannot give the file to the group: group=%s path=%s: %s",
                           name, path, strerror(errno));
}

/* Group, mode and, where wanted, on the disk. */
static enum sluice_status settle(const char *temporary, const struct sluice_master_input *input,
                                 struct sluice_error *error)
{
    uint32_t mode =
        input->state == SLUICE_MASTER_WRITING ? input->mode : input->mode & ~UINT32_C(0222);
    enum sluice_status status = SLUICE_OK;
    int fd = open(temporary, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot open the file again");
    give_to_group(fd, input->group, temporary);
    if (fchmod(fd, (mode_t)mode) != 0)
        status = sluice_error_errno(error, SLUICE_IO, errno, "cannot set the mode %04o", mode);
    else if (input->sync && fdatasync(fd) != 0)
        status = sluice_error_errno(error, SLUICE_IO, errno, "fdatasync failed");
    close(fd);
    return status;
}

/* The rename itself is on the disk when its directory is. */
static enum sluice_status sync_directory(const char *path, struct sluice_error *error)
{
    char directory[SLUICE_PATH_BYTES];
    int length = (int)(sluice_layout_base_name(path) - path);
    snprintf(directory, sizeof directory, "%.*s.", length, path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        return sluice_error_errno(error, SLUICE_IO, code, "fsync of %s failed", directory);
    }
    close(fd);
    return SLUICE_OK;
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
    if (rename(temporary, path) != 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot rename %s", temporary);
    return SLUICE_OK;
}

static enum sluice_status write_one(const struct sluice_master_input *input, bool nxs,
                                    const struct sluice_master_facts *facts,
                                    struct sluice_error *error)
{
    char path[SLUICE_PATH_BYTES], temporary[SLUICE_PATH_BYTES + 32];
    if (sluice_layout_master_path(input->directory, input->name, input->channel_index,
                                  input->dataset, nxs, path, sizeof path) != SLUICE_OK)
        return sluice_error_set(error, SLUICE_LIMIT, "the path of the master of %s is too long",
                                input->name);
    const char *base = sluice_layout_base_name(path);
    const uint8_t bit = nxs ? SLUICE_MASTER_NXMX_OURS : SLUICE_MASTER_LINKS_OURS;
    const bool ours = input->ours == NULL || (*input->ours & bit) != 0;
    snprintf(temporary, sizeof temporary, "%.*s.%s.tmp-%ld", (int)(base - path), path, base,
             (long)getpid());

    enum sluice_status status = fill_file(temporary, path, input, nxs, facts, error);
    if (status == SLUICE_OK)
        status = settle(temporary, input, error);
    if (status == SLUICE_OK)
        status = put_in_place(temporary, path, ours, error);
    if (status != SLUICE_OK)
        unlink(temporary);
    else if (input->ours != NULL)
        *input->ours |= bit;
    if (status == SLUICE_OK && input->sync)
        status = sync_directory(path, error);
    if (status != SLUICE_OK)
        sluice_error_prefix(error, "%s", path);
    return status;
}

enum sluice_status sluice_master_write(const struct sluice_master_input *input,
                                       struct sluice_error *error)
{
    struct sluice_master_facts facts;
    enum sluice_status status = sluice_h5_init(error);
    if (status != SLUICE_OK)
        return status;
    sluice_master_facts(input, &facts);
    status = write_one(input, false, &facts, error);
    return status == SLUICE_OK ? write_one(input, true, &facts, error) : status;
}
