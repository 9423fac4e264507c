/* SPDX-License-Identifier: Apache-2.0
 *
 * From /proc and sysconf. The policy for dirty pages belongs to the figures: it decides when a
 * buffered writer is made to wait for the disk. */
#include "bench/pipeline/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

static void look_cpu(char *name, size_t bytes)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(name, bytes, "unknown");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *value = strncmp(line, "model name", 10) == 0 ? strstr(line, ": ") : NULL;
        if (value != NULL) {
            snprintf(name, bytes, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static uint64_t look_number(const char *path)
{
    uint64_t value = 0;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%" SCNu64, &value) != 1) {
            value = 0;
        }
        fclose(file);
    }
    return value;
}

void sluice_machine_look(struct sluice_machine *machine)
{
    struct utsname name;
    *machine = (struct sluice_machine){
        .cores = sysconf(_SC_NPROCESSORS_ONLN),
        .memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE),
        .dirty_ratio = look_number("/proc/sys/vm/dirty_ratio"),
        .dirty_background_ratio = look_number("/proc/sys/vm/dirty_background_ratio"),
        .dirty_bytes = look_number("/proc/sys/vm/dirty_bytes"),
        .dirty_background_bytes = look_number("/proc/sys/vm/dirty_background_bytes"),
    };
    look_cpu(machine->cpu, sizeof(machine->cpu));
    if (uname(&name) == 0) {
        snprintf(machine->kernel, sizeof(machine->kernel), "%s %s", name.sysname, name.release);
    }
}

static void put_uint(struct sluice_json *json, const char *key, uint64_t value)
{
    sluice_json_key(json, key);
    sluice_json_uint(json, value);
}

void sluice_machine_json(const struct sluice_machine *machine, struct sluice_json *json)
{
    sluice_json_object_begin(json);
    sluice_json_key(json, "cpu");
    sluice_json_text(json, machine->cpu);
    put_uint(json, "cores", (uint64_t)machine->cores);
    put_uint(json, "memory_bytes", machine->memory_bytes);
    sluice_json_key(json, "kernel");
    sluice_json_text(json, machine->kernel);
    put_uint(json, "dirty_ratio", machine->dirty_ratio);
    put_uint(json, "dirty_background_ratio", machine->dirty_background_ratio);
    put_uint(json, "dirty_bytes", machine->dirty_bytes);
    put_uint(json, "dirty_background_bytes", machine->dirty_background_bytes);
    sluice_json_object_end(json);
}

/* /proc/self/mountinfo: id parent major:minor root point options [tags] - type source options. A
 * file system whose directories have device numbers of their own is not found this way. */
void sluice_machine_file_system(const char *directory, char *type, size_t bytes)
{
    struct stat info;
    char line[1024];
    FILE *file = stat(directory, &info) == 0 ? fopen("/proc/self/mountinfo", "re") : NULL;
    snprintf(type, bytes, "unknown");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        unsigned int device_major, device_minor;
        const char *dash = strstr(line, " - ");
        if (dash != NULL && sscanf(line, "%*d %*d %u:%u", &device_major, &device_minor) == 2 &&
            device_major == major(info.st_dev) && device_minor == minor(info.st_dev)) {
            snprintf(type, bytes, "%.*s", (int)strcspn(dash + 3, " \n"), dash + 3);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

bool sluice_machine_is_memory(const char *type)
{
    return strcmp(type, "tmpfs") == 0 || strcmp(type, "ramfs") == 0;
}

uint64_t sluice_machine_memory_room(const char *directory)
{
    char line[256];
    uint64_t available = 0;
    struct statvfs info;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "MemAvailable: %" SCNu64, &available) == 1)
            break;
    if (file != NULL)
        fclose(file);
    available *= 1024;
    if (statvfs(directory, &info) != 0)
        return 0;
    const uint64_t room = (uint64_t)info.f_bavail * info.f_frsize;
    return room < available ? room : available;
}
