/* SPDX-License-Identifier: Apache-2.0
 *
 * The per-image columns as one constant table, expanded from columns.def. */
#include "writer/layout/layout.h"

#include <assert.h>

static const struct sluice_column_info columns[SLUICE_COLUMN_COUNT] = {
#define X(name, text, type, unit) {text, SLUICE_COLUMN_##type, unit},
#include "writer/layout/columns.def"
#undef X
};

const struct sluice_column_info *sluice_column_info(enum sluice_column column)
{
    assert((unsigned)column < SLUICE_COLUMN_COUNT);
    return &columns[column];
}
