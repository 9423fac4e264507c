/* SPDX-License-Identifier: Apache-2.0
 *
 * What lies below the directories that files go to. A device that is stacked on others (RAID, LVM)
 * is looked at as it presents itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench/pipeline/machine.h"
#include "cli/doctor.h"

#define GB         1e9
#define PATH_BYTES 600

#define say(...) sluice_check_say(doctor->checks, __VA_ARGS__)
#define OK       SLUICE_CHECK_OK
#define WARNING  SLUICE_CHECK_WARNING

struct kind {
    const char *type, *advice; /* advice: NULL where nothing is to be said */
};

/* How each behaves under frames. What is not here is neither praised nor warned of. */
static const struct kind kinds[] = {
    {"xfs", NULL},
    {"ext4", NULL},
    {"btrfs", "copies on write: images go through more work (chattr +C on the empty directory)"},
    {"zfs", "may not know O_DIRECT, and compresses compressed images again"},
    {"tmpfs", "is memory: files are gone with the power, and images go through the page cache"},
    {"overlay", "is a container's layer: mount a volume for the data"},
    {"nfs", "is a network file system: readers elsewhere may see broken files while they grow"},
    {"nfs4", "is a network file system: readers elsewhere may see broken files while they grow"},
    {"cifs", "is a network file system: readers elsewhere may see broken files while they grow"},
    {"smb3", "is a network file system: readers elsewhere may see broken files while they grow"},
};

static void look_file_system(const struct sluice_doctor *doctor, const char *directory)
{
    char type[32];
    struct statvfs space;
    const char *advice = NULL;
    sluice_machine_file_system(directory, type, sizeof type);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            advice = kinds[i].advice;
    if (statvfs(directory, &space) != 0)
        return;
    if ((space.f_flag & ST_SYNCHRONOUS) != 0)
        advice = "is mounted with sync: every small write waits for the disk";
    say(advice != NULL ? WARNING : OK, "file system", "%s: %s, %.1f GB free%s%s", directory, type,
        (double)space.f_bavail * (double)space.f_frsize / GB, advice != NULL ? "; " : "",
        advice != NULL ? advice : "");
}

/* A partition has no queue of its own: then the disk's. */
static bool read_queue(const struct sluice_doctor *doctor, dev_t device, const char *name,
                       char *text, size_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/queue/%s", major(device), minor(device),
             name);
    if (sluice_doctor_read(doctor, path, text, bytes))
        return true;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/../queue/%s", major(device), minor(device),
             name);
    return sluice_doctor_read(doctor, path, text, bytes);
}

/* Virtual disks call themselves rotating, whatever is behind them. */
static bool is_virtual(const struct sluice_doctor *doctor, dev_t device)
{
    char path[PATH_BYTES], target[256];
    snprintf(path, sizeof path, "%s/sys/dev/block/%u:%u", doctor->root, major(device),
             minor(device));
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = '\0';
    const char *name = strstr(target, "/block/");
    return name != NULL && (strncmp(name + 7, "vd", 2) == 0 || strncmp(name + 7, "xvd", 3) == 0);
}

/* "none [mq-deadline] kyber" is "mq-deadline". */
static void keep_chosen(char *text)
{
    const char *from = strchr(text, '['), *to = from ? strchr(from, ']') : NULL;
    if (to == NULL)
        return;
    const size_t length = (size_t)(to - from - 1);
    memmove(text, from + 1, length);
    text[length] = '\0';
}

static void look_device(const struct sluice_doctor *doctor, const char *directory)
{
    struct stat about;
    char rotational[16], scheduler[128] = "unknown", cache[64] = "unknown";
    if (stat(directory, &about) != 0 ||
        !read_queue(doctor, about.st_dev, "rotational", rotational, sizeof rotational))
        return;
    read_queue(doctor, about.st_dev, "scheduler", scheduler, sizeof scheduler);
    keep_chosen(scheduler);
    read_queue(doctor, about.st_dev, "write_cache", cache, sizeof cache);
    const bool virtual = is_virtual(doctor, about.st_dev);
    const bool turns = !virtual && strcmp(rotational, "1") == 0;
    say(turns ? WARNING : OK, "disk", "%s: %s, scheduler %s, cache %s%s", directory,
        virtual ? "virtual"
        : turns ? "rotating"
                : "solid state",
        scheduler, cache,
        turns ? ": 0.1 to 0.3 GB/s; stripe many, or write to solid state first" : "");
}

void sluice_doctor_storage(const struct sluice_doctor *doctor)
{
    const struct sluice_writer_settings *writer = &doctor->config->writer;
    for (size_t i = 0; i < writer->directory_count; i++) {
        struct stat about;
        if (stat(writer->directories[i], &about) != 0) {
            say(WARNING, "file system", "%s is not there yet, and was not looked at",
                writer->directories[i]);
            continue;
        }
        look_file_system(doctor, writer->directories[i]);
        look_device(doctor, writer->directories[i]);
    }
}
