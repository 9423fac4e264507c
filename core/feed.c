/* SPDX-License-Identifier: Apache-2.0
 *
 * Which file a descriptor is, in the words that writer and readers of a feed compare. */
#include "core/feed_layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct sluice_feed_file sluice_feed_file_of(int fd)
{
    struct statx there;
    struct sluice_feed_file file = {0};
    if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &there) != 0 ||
        (there.stx_mask & STATX_INO) == 0 || (there.stx_mask & STATX_BTIME) == 0)
        return file;
    file.device = makedev(there.stx_dev_major, there.stx_dev_minor);
    file.inode = there.stx_ino;
    file.birth_ns = (uint64_t)there.stx_btime.tv_sec * 1000000000u + there.stx_btime.tv_nsec;
    return file;
}
